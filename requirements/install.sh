#!/usr/bin/env bash
# Makes the environment and installs the locked packages and this checkout into it.
# A second run finds the stamp and does nothing. PYTHON and VENV may be given.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}

version_of() { "$1" -c 'import sys; print("%d%d" % sys.version_info[:2])' 2>/dev/null || true; }

choose_python() {
  local candidate
  for candidate in ${PYTHON:-python3.12 python3.13 python3.11 python3}; do
    case "$(version_of "$candidate")" in
      311 | 312 | 313) echo "$candidate"; return ;;
    esac
  done
  echo "error: needs Python 3.11, 3.12 or 3.13; found: ${PYTHON:-$(python3 --version 2>&1 || true)}." >&2
  echo "Install one and name it: make PYTHON=/path/to/python3.12 ..." >&2
  exit 2
}

python=$(choose_python)
lock=requirements/py$(version_of "$python").txt
# A moved checkout must be installed again, hence its path in the stamp.
stamp=$(cat "$lock" setup.py <(pwd) | sha256sum | cut -d' ' -f1)
if [ -x "$venv/bin/python" ] && [ "$(cat "$venv/.stamp" 2>/dev/null)" = "$stamp" ]; then
  exit 0
fi

start=$SECONDS
echo "install      $($python --version) -> $venv"
rm -rf "$venv"
if ! "$python" -m venv "$venv" 2>/tmp/medr-venv.$$; then
  cat /tmp/medr-venv.$$ >&2; rm -f /tmp/medr-venv.$$
  echo "error: $python cannot make an environment. On Debian or Ubuntu: apt install python3-venv." >&2
  echo "Or, in an environment of your own: pip install -e '.[dev]'" >&2
  exit 2
fi
rm -f /tmp/medr-venv.$$
pip() { "$venv/bin/python" -m pip --disable-pip-version-check --quiet "$@"; }
# Not compiled: most modules are never imported, and the rest is compiled when they are.
pip install --no-compile --require-hashes -r "$lock"
pip install --no-deps --no-build-isolation -e .
echo "$stamp" > "$venv/.stamp"
echo "install      $((SECONDS - start)) s"
