#!/usr/bin/env bash
# Runs the pages in headless Chromium (Debian's package) by Playwright (from PyPI, into target/browser), against the real
# daemon and a real Docker engine: with a script and without one, light and dark, wide and narrow.
# SCREENSHOTS=DIR leaves pictures there.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

trap engine_down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

bash "$ROOT/scripts/setup.sh" chromium
engine_up
cd "$ROOT"
python=target/browser/bin/python
if ! "$python" -c 'import playwright, axe_playwright_python, oidc_provider_mock' 2>/dev/null; then
  python3 -m venv target/browser || die "a Python environment cannot be made; try: apt-get install python3-venv"
  "$python" -m pip --quiet install playwright==1.65.2 axe-playwright-python==0.1.8 oidc-provider-mock==0.3.4
fi
cargo build --locked --quiet
with_engine "$python" tests/browser/pages.py
with_engine "$python" tests/browser/oidc.py
