#!/usr/bin/env bash
# Prints the Python that drives headless Chromium for the tests of the pages: one with Playwright and axe, from PyPI, in
# target/browser. Fails, saying why, where it or Chromium cannot be had.
# Usage: scripts/playwright.sh
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ -x /usr/bin/chromium ] || die "there is no /usr/bin/chromium; as root: apt-get install chromium"
folder=$ROOT/target/browser
if ! "$folder/bin/python" -c 'import playwright, axe_playwright_python' 2>/dev/null; then
  python3 -m venv "$folder" || die "a Python environment cannot be made; as root: apt-get install python3-venv"
  "$folder/bin/python" -m pip --quiet install playwright==1.65.2 axe-playwright-python==0.1.8 >&2 ||
    die "Playwright cannot be had from PyPI; see above"
fi
say "$folder/bin/python"
