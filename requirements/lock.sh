#!/usr/bin/env bash
# Resolves requirements/*.in together into requirements.lock.
set -euo pipefail
uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes --no-header \
  requirements/*.in --output-file requirements.lock
python requirements/export.py
