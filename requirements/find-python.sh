#!/usr/bin/env bash
# Prints the newest of Python 3.13, 3.12 and 3.11 that runs here and can make virtual environments; pyenv's are looked at too.
set -u
for version in 3.13 3.12 3.11; do
  for python in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version"*/bin/python3 python3; do
    "$python" -c "import sys, venv, ensurepip, sqlite3, ssl; sys.exit('.'.join(map(str, sys.version_info[:2])) != '$version')" 2>/dev/null || continue
    "$python" -c 'import sys; print(sys.executable)'
    exit 0
  done
done
echo "Kinora needs Python 3.11, 3.12 or 3.13 with the venv module; none was found." >&2
exit 1
