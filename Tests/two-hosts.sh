#!/usr/bin/env bash
# Runs an MPI program on two hosts: network namespaces of this machine, with a virtual cable between them.
#
#   two-hosts.sh TAG openmpi|hydra LAUNCHER PROGRAM [ARGUMENT…]
#
# The namespaces' names have the tag in them, by which whoever starts this can see that none is left.
# The last line says what went over the cable. Exit status 77: namespaces can't be made here; 124: it hung.
set -euo pipefail
tag=$1 kind=$2 launcher=$3
shift 3

west=apus-west-$tag-$$ east=apus-east-$tag-$$ network=10.213.77
folder=$(mktemp -d)
clear_up() {
  trap '' INT TERM
  for space in "$west" "$east"; do
    ip netns pids "$space" 2>/dev/null | xargs -r kill -KILL 2>/dev/null || true
    ip netns delete "$space" 2>/dev/null || true
  done
  rm -rf "$folder"
}
trap clear_up EXIT
trap 'exit 130' INT TERM

ip netns add "$west" 2>/dev/null && ip netns add "$east" 2>/dev/null &&
  ip link add name eth0 netns "$west" type veth peer name eth0 netns "$east" 2>/dev/null || exit 77
for host in "$west:1" "$east:2"; do
  ip -n "${host%:*}" address add "$network.${host#*:}/24" dev eth0
  ip -n "${host%:*}" link set eth0 up
  ip -n "${host%:*}" link set lo up
done
# The kernel takes its time to notice the cable, and until then UCX does not see the interface.
for space in "$west" "$east"; do
  for _ in {1..200}; do
    if ip -n "$space" -oneline link show dev eth0 | grep -q 'state UP'; then break; fi
    sleep 0.05
  done
done

# On a host: in its namespace, and under its own name, or the library takes both for one machine.
cat >"$folder/on" <<END
#!/bin/sh
case \$1 in
$network.1) space=$west ;;
$network.2) space=$east ;;
*) echo "there is no host \$1" >&2; exit 1 ;;
esac
host=host-\${1##*.}
shift
exec ip netns exec \$space unshare --uts sh -c 'hostname "\$0"; exec "\$@"' \$host "\$@"
END
# In place of ssh, which gives its words to a shell on the other side.
cat >"$folder/agent" <<END
#!/bin/sh
while [ "\${1#-}" != "\$1" ]; do shift; done
host=\$1
shift
exec "$folder/on" \$host sh -c "\$*"
END
chmod +x "$folder/on" "$folder/agent"

hosts=$network.1,$network.2
case $kind in
openmpi)
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  export OMPI_MCA_plm_rsh_agent=$folder/agent PRTE_MCA_plm_ssh_agent=$folder/agent
  export OMPI_MCA_oob_tcp_if_include=eth0 PRTE_MCA_oob_tcp_if_include=eth0
  options=(--host "$hosts" --mca pml ob1 --mca btl tcp,self --mca btl_tcp_if_include eth0)
  ;;
hydra)
  export FI_PROVIDER=tcp FI_TCP_IFACE=eth0 UCX_TLS=tcp,self UCX_NET_DEVICES=eth0
  options=(-launcher ssh -launcher-exec "$folder/agent" -hosts "$hosts" -iface eth0)
  ;;
esac

timeout -k 5 60 "$folder/on" "$network.1" "$launcher" "${options[@]}" -n 2 "$@" </dev/null
counted() { ip netns exec "$west" cat "/sys/class/net/eth0/statistics/$1_bytes"; }
echo "over the cable: $(($(counted rx) + $(counted tx))) bytes"
