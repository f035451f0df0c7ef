using System.Buffers.Binary;
using System.Numerics;
using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Chain;
using Shale.Chain.Contracts;
using Shale.Chain.Market;
using Shale.Chain.Networks;
using Shale.Chain.Rpc;
using Shale.Groth16.Verifier;
using Shale.Payments.Audit;
using Shale.Payments.Vouchers;
using Shale.Settlement.Batching;
using Shale.Settlement.Circuit;
using Shale.Settlement.Claims;

namespace Shale.Settlement.Audit;

/// <summary>
/// The chain for an audit: what was settled, in final blocks only, and whether each settlement's proof holds, checked here again from the transaction's call, the
/// page's events and the contract's own verifying key. The contract checked it, too; this needs to trust no node's word for that.
/// </summary>
public sealed class ChainAudit : IAuditChain
{
    private const int WordSize = 32;

    private readonly ChainClient _chain;
    private readonly Network _network;
    private readonly MarketReader _reader;
    private readonly MarketEvents _events;
    private readonly Dictionary<Bytes32, SettledPage?> _settlements = [];
    private readonly Dictionary<int, VerificationKey> _keys = [];
    private IReadOnlyList<MarketEvent>? _history;

    /// <summary>Audits against a network's market.</summary>
    public ChainAudit(ChainClient chain, Network network)
    {
        ArgumentNullException.ThrowIfNull(network);
        (_chain, _network) = (chain, network);
        _reader = new MarketReader(chain, network);
        _events = new MarketEvents(chain, network);
    }

    /// <inheritdoc/>
    /// <exception cref="ChainException">The chain can't be asked.</exception>
    public async ValueTask<ChainSettlement?> FindSettlementAsync(ReadOnlyMemory<byte> transaction, ulong leaseId, CancellationToken cancellation)
    {
        var hash = new Bytes32(transaction.Span);
        if (!_settlements.TryGetValue(hash, out SettledPage? settled))
        {
            settled = _settlements[hash] = await ReadAsync(hash, cancellation).ConfigureAwait(false);
        }

        Lease lease = await _reader.GetLeaseAsync(leaseId, default, cancellation).ConfigureAwait(false);
        if (settled is null || lease.Provider != settled.Call.Provider || lease.Page != settled.Call.Page ||
            settled.Entries.FirstOrDefault(e => e.Slot == lease.Slot) is not { Flags: not EntryFlags.None } entry || !AttoFil.TryCreate(entry.Claimed, out AttoFil claimed))
        {
            return null;
        }

        return new ChainSettlement(claimed, Word(settled.Call.NewRoot)) { ProofProblem = settled.Problem };
    }

    /// <inheritdoc/>
    /// <exception cref="ChainException">The chain can't be asked.</exception>
    public async ValueTask<AttoFil?> FindClaimedAsync(ulong leaseId, CancellationToken cancellation)
    {
        ulong final = (await _chain.GetFinalizedAsync(cancellation).ConfigureAwait(false)).Number;
        Lease lease = await _reader.GetLeaseAsync(leaseId, BlockTag.At(final), cancellation).ConfigureAwait(false);
        if (lease.State == LeaseState.Closed)
        {
            return AttoFil.TryCreate(lease.Amount, out AttoFil paid) ? paid : null;
        }

        // An open lease's claimed amount is in the last settlement that lists its slot since it was confirmed.
        AttoFil? claimed = null;
        foreach (MarketEvent step in await HistoryAsync(final, cancellation).ConfigureAwait(false))
        {
            if (step.Event is ShaleMarket.LeaseConfirmedEvent confirmed && confirmed.LeaseId == leaseId)
            {
                claimed = AttoFil.Zero;
            }
            else if (claimed is not null && step.Event is ShaleMarket.PageSettledEvent settled && settled.Provider == lease.Provider && settled.Page == lease.Page &&
                EntryEncoding.TryDecodeEntries(settled.Entries.Span, out IReadOnlyList<SettlementEntry> entries) &&
                entries.FirstOrDefault(e => e.Slot == lease.Slot) is { Flags: not EntryFlags.None } entry)
            {
                claimed = AttoFil.Create(entry.Claimed);
            }
        }

        return claimed;
    }

    private async Task<SettledPage?> ReadAsync(Bytes32 hash, CancellationToken cancellation)
    {
        ulong final = (await _chain.GetFinalizedAsync(cancellation).ConfigureAwait(false)).Number;
        if (await _chain.GetReceiptAsync(hash, cancellation).ConfigureAwait(false) is not { Succeeded: true } receipt || receipt.BlockNumber > final ||
            receipt.Events<ShaleMarket.PageSettledEvent>(_reader.Market).FirstOrDefault() is not { } settled ||
            await _chain.GetTransactionAsync(hash, cancellation).ConfigureAwait(false) is not { } transaction ||
            !EntryEncoding.TryDecodeEntries(settled.Entries.Span, out IReadOnlyList<SettlementEntry> entries))
        {
            return null;
        }

        if (!ShaleMarket.SettleCall.TryDecode(transaction.Input.Span, out ShaleMarket.SettleCall? call))
        {
            // Settled through another contract: the event says what, its call is not at hand.
            call = new ShaleMarket.SettleCall(settled.Provider, settled.Page, settled.NewRoot, settled.Paid, settled.Entries, default, 0, []);
            return new SettledPage(call, entries, "its transaction is not a call of settle, so that its proof can't be checked here");
        }

        string? problem = call.NewRoot != settled.NewRoot || call.Provider != settled.Provider || call.Page != settled.Page || !call.Entries.Span.SequenceEqual(settled.Entries.Span)
            ? "the event does not say what was called"
            : await CheckProofAsync(call, entries, hash, receipt.BlockNumber, cancellation).ConfigureAwait(false);
        return new SettledPage(call, entries, problem);
    }

    /// <summary>docs/SETTLEMENT.md, "The statement", from the auditor's side. Null: the proof holds.</summary>
    private async Task<string?> CheckProofAsync(ShaleMarket.SettleCall call, IReadOnlyList<SettlementEntry> entries, Bytes32 hash, ulong block, CancellationToken cancellation)
    {
        Page page = await _reader.GetPageAsync(call.Provider, call.Page, default, cancellation).ConfigureAwait(false);
        int slots = (int)page.Size;
        IEnumerable<MarketEvent> before = (await HistoryAsync(block, cancellation).ConfigureAwait(false))
            .TakeWhile(e => e.TransactionHash != hash || e.Event is not ShaleMarket.PageSettledEvent);
        BigInteger oldRoot = before.Select(e => e.Event).OfType<ShaleMarket.PageSettledEvent>().LastOrDefault(e => e.Provider == call.Provider && e.Page == call.Page)?.NewRoot
            ?? PageState.Empty(slots).Root.ToBigInteger();
        if (new[] { call.NewRoot, call.Paid, call.C, oldRoot }.Any(v => v >= Fr.Modulus))
        {
            return "a value is not a field element";
        }

        var list = new Fr[PublicList.Length(slots)];
        (list[0], list[1], list[2], list[3], list[4]) = (
            VoucherDomain.Create(_network.ChainId, _reader.Market.ToArray()).Element, Fr.FromUInt64(((ulong)call.Provider << 32) + call.Page),
            Fr.FromBigInteger(oldRoot), Fr.FromBigInteger(call.NewRoot), Fr.FromBigInteger(call.Paid));
        ReadOnlyMemory<byte> ids = call.LeaseIds;
        foreach (SettlementEntry entry in entries)
        {
            int at = PublicList.HeaderLength + (PublicList.SlotLength * entry.Slot);
            if (entry.Slot >= slots)
            {
                return "an entry is past the page";
            }

            list[at] = Fr.FromUInt128((entry.Claimed << 8) + (UInt128)((int)entry.Flags & 15));
            if (!entry.Has(EntryFlags.Sync | EntryFlags.Close))
            {
                continue;
            }

            if (ids.Length < 8)
            {
                return "lease numbers are missing";
            }

            ulong id = BinaryPrimitives.ReadUInt64BigEndian(ids.Span);
            ids = ids[8..];
            if (entry.Has(EntryFlags.Sync))
            {
                Lease lease = await _reader.GetLeaseAsync(id, default, cancellation).ConfigureAwait(false);
                (list[at + 1], list[at + 2], list[at + 3], list[at + 4]) = (Fr.FromUInt64(id), Fr.FromBigInteger(lease.Ax), Fr.FromBigInteger(lease.Ay), Fr.FromUInt128(entry.Deposit));
            }
        }

        Fr c = Fr.FromBigInteger(call.C);
        Fr r = PublicList.Challenge(c, list);
        byte[] proof = [.. call.Proof.SelectMany(Word)];
        bool holds = G1Affine.TryFromBytesBigEndian(proof.AsSpan(0, 64), out G1Affine a) && G2Affine.TryFromBytesBigEndian(proof.AsSpan(64, 128), out G2Affine b) &&
            G1Affine.TryFromBytesBigEndian(proof.AsSpan(192, 64), out G1Affine k) &&
            Groth16.Verifier.Groth16Verifier.Verify(await KeyAsync(slots, cancellation).ConfigureAwait(false), [c, r, PublicList.Evaluate(list, r)], new Proof(a, b, k)) == Verdict.Valid;
        return holds ? null : "its proof does not verify under the contract's key";
    }

    private async Task<VerificationKey> KeyAsync(int slots, CancellationToken cancellation)
    {
        if (_keys.TryGetValue(slots, out VerificationKey? known))
        {
            return known;
        }

        IContractCall<Address> verifier = slots switch
        {
            8 => new ShaleMarket.Verifier8Call(),
            64 => new ShaleMarket.Verifier64Call(),
            _ => new ShaleMarket.Verifier256Call(),
        };
        Address contract = await _chain.CallAsync(_reader.Market, verifier, default, null, cancellation).ConfigureAwait(false);
        Shale.Chain.Contracts.Groth16Verifier.VerifyingKey key = await _chain.CallAsync(contract, new Shale.Chain.Contracts.Groth16Verifier.VerifyingKeyCall(), default, null, cancellation).ConfigureAwait(false);
        bool development = await _chain.CallAsync(contract, new Shale.Chain.Contracts.Groth16Verifier.IsDevelopmentKeyCall(), default, null, cancellation).ConfigureAwait(false);
        return _keys[slots] = new VerificationKey(G1(key.Alpha1), G2(key.Beta2), G2(key.Gamma2), G2(key.Delta2), [.. key.Ic.Select(G1)], development);
    }

    private async Task<IReadOnlyList<MarketEvent>> HistoryAsync(ulong to, CancellationToken cancellation) =>
        _history ??= await _events.ReadRangeAsync(_network.DeployedAt, Math.Max(to, (await _chain.GetFinalizedAsync(cancellation).ConfigureAwait(false)).Number), cancellation).ConfigureAwait(false);

    private static G1Affine G1(IReadOnlyList<BigInteger> point) => G1Affine.TryFromBytesBigEndian((byte[])[.. point.SelectMany(Word)], out G1Affine read)
        ? read
        : throw new ChainException(ChainErrorKind.Malformed, "The contract's verifying key holds a point that is not on the curve.");

    private static G2Affine G2(IReadOnlyList<BigInteger> point) => G2Affine.TryFromBytesBigEndian((byte[])[.. point.SelectMany(Word)], out G2Affine read)
        ? read
        : throw new ChainException(ChainErrorKind.Malformed, "The contract's verifying key holds a point that is not in its group.");

    private static byte[] Word(BigInteger value)
    {
        var word = new byte[WordSize];
        byte[] bytes = value.ToByteArray(isUnsigned: true, isBigEndian: true);
        bytes.CopyTo(word, WordSize - bytes.Length);
        return word;
    }

    private sealed record SettledPage(ShaleMarket.SettleCall Call, IReadOnlyList<SettlementEntry> Entries, string? Problem);
}
