#!/usr/bin/env bash
# Makes container images without a registry: images.sh NAME...
#   debian   shale/debian:12     Debian 12 with python3-numpy, gcc, rsync, git
#   busybox  shale/busybox:1     busybox and nothing else
#   static   shale/static:1      one static binary and nothing else (no shell)
#   jupyter  shale/jupyter:12    shale/debian:12 with Debian's Jupyter Server and its Python kernel
#   sshd     shale/sshd:12       Debian 12 with OpenSSH's sshd and rsync: what the benchmarks compare with
# An image that the engine already has is left alone; --force makes it again.
set -euo pipefail
force=; [ "${1:-}" = --force ] && { force=1; shift; }
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT

have() { [ -z "$force" ] && docker image inspect "$1" >/dev/null 2>&1; }

debian() {
  have shale/debian:12 && return
  echo "setup: making the image shale/debian:12 with debootstrap (a minute or two)" >&2
  # shellcheck disable=SC2046
  debootstrap --variant=minbase --include=ca-certificates,python3-minimal,python3-numpy,gcc,libc6-dev,rsync,git,procps,tmux,bzip2 \
    bookworm "$work/debian" $(mirror) >"$work/log" 2>&1 || { tail -20 "$work/log" >&2; exit 1; }
  rm -rf "$work/debian/var/cache/apt/archives"/*.deb "$work/debian/var/lib/apt/lists"/*
  tar -C "$work/debian" -c . | docker import --change 'CMD ["/bin/bash"]' --change 'ENV LANG=C.UTF-8' - shale/debian:12 >/dev/null
}

# The mirror that this machine's apt already uses, so that no host is named here.
mirror() {
  awk '/^deb /{for(i=2;i<=NF;i++) if($i ~ /^https?:/){print $i; exit}} /^URIs:/{print $2; exit}' \
    /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null | head -1
}

busybox() {
  have shale/busybox:1 && return
  echo "setup: making the image shale/busybox:1" >&2
  mkdir -p "$work/busybox"/{bin,tmp,root,etc,dev,proc,sys}
  cp "$(dpkg -L busybox-static | grep '/bin/busybox$' | head -1)" "$work/busybox/bin/busybox"
  for applet in $("$work/busybox/bin/busybox" --list | grep -vx busybox); do ln -s busybox "$work/busybox/bin/$applet"; done
  echo 'root:x:0:0:root:/root:/bin/sh' >"$work/busybox/etc/passwd"
  echo 'root:x:0:' >"$work/busybox/etc/group"
  tar -C "$work/busybox" -c . | docker import --change 'CMD ["/bin/sh"]' - shale/busybox:1 >/dev/null
}

static() {
  have shale/static:1 && return
  echo "setup: making the image shale/static:1" >&2
  mkdir -p "$work/static"
  cat >"$work/echo.c" <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* echo ARGS | cat | exit N | pause: all that an image without a shell has to offer in the tests. */
int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "exit")) return argc > 2 ? atoi(argv[2]) : 0;
  if (argc > 1 && !strcmp(argv[1], "pause")) { for (;;) pause(); }
  if (argc > 1 && !strcmp(argv[1], "cat")) {
    static char b[65536]; ssize_t n;
    while ((n = read(0, b, sizeof b)) > 0) if (write(1, b, n) != n) return 1;
    return 0;
  }
  for (int i = 1; i < argc; i++) printf("%s%s", i > 1 ? " " : "", argv[i]);
  puts("");
  return 0;
}
C
  gcc -static -O2 -o "$work/static/tool" "$work/echo.c"
  tar -C "$work/static" -c . | docker import --change 'CMD ["/tool","pause"]' - shale/static:1 >/dev/null
}

jupyter() {
  have shale/jupyter:12 && return
  debian
  echo "setup: making the image shale/jupyter:12 (half a minute)" >&2
  # The machine's own network: apt reaches from here what it reaches from there. Debian has no JupyterLab; its server is the same, without that page.
  local container
  container=$(docker create --network host shale/debian:12 env ${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"} DEBIAN_FRONTEND=noninteractive sh -ec '
    printf "force-unsafe-io\npath-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\npath-exclude=/usr/share/locale/*\n" >/etc/dpkg/dpkg.cfg.d/small
    apt-get -qq update
    apt-get -qq install -y --no-install-recommends jupyter-server python3-ipykernel
    ln -s jupyter-server /usr/bin/jupyter-lab
    rm -rf /var/cache/apt /var/lib/apt/lists /usr/share/javascript')
  if docker start -a "$container" >"$work/log" 2>&1; then
    docker commit --change 'CMD ["/bin/bash"]' "$container" shale/jupyter:12 >/dev/null
    docker rm "$container" >/dev/null
  else
    tail -20 "$work/log" >&2; docker rm "$container" >/dev/null; exit 1
  fi
}

sshd() {
  # Made without rsync by older versions of this script.
  have shale/sshd:12 && docker run --rm --network none shale/sshd:12 test -x /usr/bin/rsync && return
  echo "setup: making the image shale/sshd:12 with debootstrap (a minute or two)" >&2
  # shellcheck disable=SC2046
  debootstrap --variant=minbase --include=openssh-server,openssh-sftp-server,rsync bookworm "$work/sshd" $(mirror) >"$work/log" 2>&1 || { tail -20 "$work/log" >&2; exit 1; }
  mkdir -p "$work/sshd/run/sshd" "$work/sshd/root/.ssh"
  tar -C "$work/sshd" -c . | docker import - shale/sshd:12 >/dev/null
}

for image in "$@"; do "$image"; done
