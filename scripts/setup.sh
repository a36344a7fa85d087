# shellcheck shell=bash
# Sourced by the other scripts: finds Python 3.11 or newer, makes .venv and installs this checkout into it.
#
#   ensure_venv EXTRA            .venv holds flowc with that extra of pyproject.toml (examples, dev); fast when it already does
#   ensure_commands CMD=PKG …    each command is there; the missing ones' Debian packages are installed
#
# Works as root and as an ordinary user. Where a system package is missing and there is no right to install it, the
# script ends with the command to give to somebody who has.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
export PIP_DISABLE_PIP_VERSION_CHECK=1

# The version that the tests are run with; pyproject.toml says what else may work.
TORCH=torch==2.13.0
TORCH_CPU_INDEX=https://download.pytorch.org/whl/cpu

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
if [ ! -t 2 ] || [ -n "${NO_COLOR:-}" ]; then
  say() { printf '%s\n' "$*" >&2; }
fi

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# --- system packages ---------------------------------------------------------------------------------------------------

apt_install() {
  command -v apt-get >/dev/null || die "please install $* with this system's package manager, then run $0 again"
  local sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null || { [ ! -t 0 ] && ! sudo -n true 2>/dev/null; }; then
      die "these system packages are missing: $*
       Run as root:  apt-get update && apt-get install -y --no-install-recommends $*
       and then $0 again."
    fi
    sudo=(sudo)
  fi
  say "Installing system packages: $*"
  # A list that cannot be refreshed may still be good enough, so only the installation itself may fail.
  "${sudo[@]}" apt-get update -qq >&2 || true
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

ensure_commands() {
  local pair missing=()
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
  done
  [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
}

# --- Python ------------------------------------------------------------------------------------------------------------

# Prints the first Python that is new enough and has the modules named.
find_python() {
  local python modules
  modules=$(IFS=,; printf '%s' "sys${*:+,}$*")
  for python in python3 python3.14 python3.13 python3.12 python3.11; do
    if "$python" -c "import $modules; sys.exit(sys.version_info < (3, 11))" >/dev/null 2>&1; then
      printf '%s' "$python"
      return
    fi
  done
  return 1
}

# Prints a Python from which a virtual environment can be made, installing one where there is none.
ensure_python() {
  local python
  if ! find_python venv ensurepip; then
    if python=$(find_python); then
      # Debian keeps these modules in a package of their own, named after the exact version.
      apt_install "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    else
      apt_install python3 python3-venv
      find_python venv ensurepip >/dev/null || apt_install python3.11 python3.11-venv
    fi
    find_python venv ensurepip || die "flowc needs Python 3.11 or newer with its venv module, and this system has none"
  fi
}

# --- the virtual environment -------------------------------------------------------------------------------------------

# What was installed, in one line: the same line means that there is nothing to do.
fingerprint() {
  .venv/bin/python - pyproject.toml scripts/setup.sh <<'PYTHON'
import hashlib, pathlib, sys
digest = hashlib.sha256()
for name in sys.argv[1:]:
    digest.update(pathlib.Path(name).read_bytes())
print(sys.version.split()[0], pathlib.Path.cwd(), digest.hexdigest())
PYTHON
}

up_to_date() {
  local extra
  for extra in "$@"; do
    if [ "$(cat ".venv/.flowc-$extra" 2>/dev/null)" = "$(fingerprint)" ]; then
      return
    fi
  done
  return 1
}

pip_install() { .venv/bin/python -m pip install --quiet --quiet "$@"; }

# PyTorch's default build for Linux brings several GB of GPU libraries: take them only where there is a GPU.
install_torch() {
  if .venv/bin/python -c 'import importlib.metadata as m; m.version("torch")' 2>/dev/null; then
    return
  fi
  if [ "$(uname -s)" != Linux ] || nvidia-smi -L 2>/dev/null | grep -q GPU; then
    return # the default build is the right one; it comes with the extra
  fi
  say "Installing PyTorch (CPU build)"
  if pip_install --no-index --no-deps "$TORCH" 2>/dev/null; then
    return # a wheel from a folder that pip is configured to look in
  fi
  if ! pip_install --index-url "$TORCH_CPU_INDEX" --retries 1 --timeout 20 --no-deps "$TORCH"; then
    say "PyTorch's CPU builds cannot be reached; taking the default build, which is several GB larger"
  fi
}

ensure_venv() {
  local extra=$1 python
  if [ -d .venv ] && ! .venv/bin/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    say "The Python of .venv does not work any more: making a new one"
    rm -rf .venv
  fi
  if [ ! -d .venv ]; then
    python=$(ensure_python)
    say "Making .venv with $("$python" --version)"
    "$python" -m venv .venv
  fi
  # Whatever `examples` needs, `dev` has too.
  if up_to_date "$extra" dev; then
    return
  fi
  install_torch
  say "Installing flowc[$extra] into .venv (a few minutes the first time)"
  pip_install --editable ".[$extra]"
  fingerprint >".venv/.flowc-$extra"
}
