#!/bin/sh
# deps.sh check | install | venv: what building and testing need, on Debian 12.
#
#   check     name the Debian packages that are missing; exit code 1 if any
#   install   install them with apt (asking once, unless CI is set or there is no terminal), then venv
#   venv      make the tests' Python environment if need be; print its bin folder
#
# containerd here is run by the test bed itself, with its own settings. On a machine with
# systemd the package starts a service of its own too, which nothing here uses: turn it off with
# `systemctl disable --now containerd` if it is in the way.
set -eu

BUILD='build-essential pkg-config libgit2-dev libyaml-dev libcurl4-openssl-dev libcjson-dev
	libsodium-dev libevent-dev libssl-dev libcmocka-dev libprotobuf-c-dev protobuf-c-compiler'
TEST='ca-certificates git openssh-client python3 python3-venv curl jq openssl
	clang clang-format-14 clang-tidy-14 shellcheck gcovr universal-ctags
	containerd runc containernetworking-plugins busybox-static iproute2 nftables iptables conntrack'

HERE=$(cd "$(dirname "$0")" && pwd)
REQUIREMENTS=$HERE/e2e/requirements.txt
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/modelsync-testbed

missing() {
	# shellcheck disable=SC2086  # the lists are words
	for package in $BUILD $TEST; do
		state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=none
		[ "$state" = installed ] || printf '%s ' "$package"
	done
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "deps.sh: not root, and there is no sudo: run as root: $*" >&2
		exit 1
	fi
}

install_packages() {
	need=$(missing)
	[ -n "$need" ] || return 0
	command -v apt-get >/dev/null || {
		echo "deps.sh: no apt here; install what these Debian packages hold: $need" >&2
		exit 1
	}
	yes=
	if [ -n "${CI:-}" ] || [ ! -t 0 ]; then
		yes=-y
	fi
	echo "deps.sh: installing with apt: $need" >&2
	as_root apt-get update -q
	# shellcheck disable=SC2086  # a list of words
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -q $yes --no-install-recommends $need
}

# One environment per content of requirements.txt and version of Python, never changed once made.
venv() {
	key=$( (python3 --version && cat "$REQUIREMENTS") | sha256sum | cut -c1-16)
	home=$CACHE/python-$key
	if [ ! -e "$home/complete" ]; then
		echo "deps.sh: making the tests' Python environment" >&2
		mkdir -p "$CACHE"
		# a half-made one, or one that another call is making: ours replaces it as a whole
		rm -rf "$home"
		python3 -m venv "$home" >&2
		"$home/bin/python" -m pip install --quiet --disable-pip-version-check \
			--require-hashes --only-binary :all: -r "$REQUIREMENTS" >&2
		touch "$home/complete"
	fi
	echo "$home/bin"
}

case ${1:-} in
check)
	need=$(missing)
	[ -z "$need" ] || {
		echo "missing: $need"
		exit 1
	}
	;;
install)
	install_packages
	venv >/dev/null
	;;
venv) venv ;;
*)
	sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
