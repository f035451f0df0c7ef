using Shale.EndToEnd.Tests.Worlds;
using Xunit;

namespace Shale.EndToEnd.Tests;

/// <summary>Gateway and operator as two users, in folders as docs/examples/systemd/shale-folders.conf makes them (docs/OPERATIONS.md).</summary>
public sealed class TwoUsersTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("st").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Operator_AsAnotherUser_ServesAndSettlesAndReadsNoKeyOfTheGateway()
    {
        var (chain, ssh) = (Ports.Free(), Ports.Free());

        // The other user is nobody, who may not be able to reach the repository: so a copy.
        var script = $$"""
            set -euo pipefail
            exec </dev/null
            cd {{_folder}}; chmod 0755 .; umask 022
            cp -r {{Path.GetDirectoryName(Programs.Shale)}} program
            export PATH=$PWD/program:$PATH SHALE_ROOT={{Programs.Root}} SHALE_NETWORK=devnet HOME=$PWD SHALE_HOME=$PWD/operator
            unset SHALE_WALLET SHALE_PASSPHRASE_FILE SHALE_WALLET_PASSPHRASE_FILE SSH_AUTH_SOCK
            gateway= operator=
            leave() {
              status=$?; set +eu
              [ $status = 0 ] || tail -n 20 gateway.log operator.log >&2
              { SHALE_HOME=$PWD/client shale agent quit; kill $operator $gateway; wait
                SHALE_HOME=$PWD/operator shale devnet stop; docker ps -aq --filter "name=$(cat state/instance)" | xargs -r docker rm -f; } >/dev/null 2>&1
              exit $status
            }
            trap leave EXIT
            # Not a function: in the background that would be a shell of its own, and killing it would leave what it runs.
            as_nobody="setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs --"
            wait_for() { for i in $(seq 120); do grep -q "$1" $2 && return; sleep 0.5; done; return 1; }

            install -d -m 2750 -o 0 -g 65534 state state/status
            install -d -m 2770 -o 0 -g 65534 state/leases
            install -d -m 0700 -o 65534 -g 65534 state/operator
            shale devnet --detach --port={{chain}} >devnet.log
            shale gateway --state_dir=state --listen=127.0.0.1:{{ssh}} >gateway.log 2>&1 & gateway=$!
            wait_for "serving SSH" gateway.log
            shale provider register --wallet=provider --endpoint=127.0.0.1:{{ssh}} --miner=f01946720 --host_key=state/hostkeys/ssh_host_ed25519_key.pub
            shale offer put --wallet=provider --state_dir=state --price=0.01fil/min --image=debian=shale/debian:12

            chown -R 65534:65534 operator
            $as_nobody shale operator --state_dir=state --wallet=provider >operator.log 2>&1 & operator=$!
            wait_for "operating provider" operator.log
            for key in log.key hostkeys/ssh_host_ed25519_key; do $as_nobody cat state/$key 2>/dev/null && exit 9; done

            export SHALE_HOME=$PWD/client SHALE_NETWORK=$PWD/operator/devnet/network.json
            ssh-keygen -q -t ed25519 -N '' -f id
            shale agent init --insecure-no-passphrase
            shale give-me-container --wallet=client --miner=f01946720 --num_cpus=1 --num_rams=512m --image=debian --ssh_pubkey=id.pub --max-spend=0.2fil --yes
            shale agent keep 1
            for i in $(seq 60); do ssh -F client/ssh_config -o BatchMode=yes lease-1 echo served && break; sleep 1; done
            shale stop 1 --wallet=client
            """;
        var output = await Script.RunAsync("bash", ["-c", script], TimeSpan.FromMinutes(8));
        Assert.Contains("\nserved\n", output, StringComparison.Ordinal);
        Assert.Matches(@"Lease 1 is closed: 0\.\d+ FIL paid\.", output);
    }
}
