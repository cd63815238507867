#!/usr/bin/env bash
# Runs the pages in headless Chromium (Debian's package) by Playwright (from PyPI, into target/browser), against the real
# daemon and a real Docker engine: with a script and without one, light and dark, wide and narrow. `make test` does so too.
# SCREENSHOTS=DIR leaves pictures there.
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/test.sh" -E 'binary(browser)'
