# Sets up a Debian machine for Shale; sourced by ./shale. Every step says what it does and does nothing when all is there.

say() { echo "setup: $*" >&2; }

need_root() {
  [ "$(id -u)" = 0 ] || { echo "shale: installing packages needs root; run 'sudo ./shale $1', or install yourself what 'shale doctor' lists" >&2; exit 77; }
}

# Debian packages that are missing, in one apt-get call.
setup_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  need_root setup
  say "installing Debian packages: ${missing[*]}"
  DEBIAN_FRONTEND=noninteractive apt-get -qq update >/dev/null
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
}

# Docker Engine: installed if there is none, started if it does not answer.
setup_docker() {
  command -v dockerd >/dev/null || setup_packages docker.io iptables
  if ! docker_answers; then
    need_root setup
    say "starting the Docker Engine (log: /var/log/shale-dockerd.log)"
    setsid dockerd >/var/log/shale-dockerd.log 2>&1 </dev/null &
    local i
    for i in $(seq 60); do docker_answers && return; sleep 0.5; done
    echo "shale: the Docker Engine did not start; the end of its log:" >&2
    tail -5 /var/log/shale-dockerd.log >&2
    exit 69
  fi
}

docker_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# npm packages of a folder, as locked. Not "npm ci": it refuses a lock file without the packages that foundry has for other
# systems, and a registry need not have those.
setup_npm() {
  local folder=$1
  command -v npm >/dev/null || { echo "shale: Node.js and npm are not installed; see README.md" >&2; exit 69; }
  if [ ! -f "$folder/node_modules/.package-lock.json" ] || [ "$folder/package-lock.json" -nt "$folder/node_modules/.package-lock.json" ]; then
    say "installing the npm packages of ${folder#"$SHALE_ROOT"/}"
    (cd "$folder" && npm install --no-save --no-fund --no-audit --loglevel=error >&2)
    touch "$folder/node_modules/.package-lock.json"
  fi
}

# Container images, made with debootstrap: no registry is needed. Kept by the engine between runs.
setup_images() { bash "$SHALE_ROOT/src/setup/images.sh" "$@"; }

setup_demo() {
  # gcc and a static libc: the container helper is compiled with the build.
  setup_packages gcc libc6-dev libsecp256k1-1 debootstrap openssh-client dataset-fashion-mnist
  setup_docker
  setup_images debian
  [ ! -f "$SHALE_ROOT/contracts/package.json" ] || setup_npm "$SHALE_ROOT/contracts"
}

setup_all() {
  setup_demo
  # Peers and checkers that the tests run against.
  setup_packages openssh-server openssh-sftp-server putty-tools dropbear-bin expect rsync sshfs git busybox-static \
    golang-go golang-golang-x-mod-dev iproute2 procps jq curl socat strace systemd xfsprogs btrfs-progs e2fsprogs
  setup_images busybox static jupyter
  [ ! -f "$SHALE_ROOT/tests/npm/package.json" ] || setup_npm "$SHALE_ROOT/tests/npm"
}
