using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Shale.Crypto;

namespace Shale.Chain.Transactions;

/// <summary>What a transaction pays per gas.</summary>
/// <param name="MaxFee">attoFIL per gas at most; of a legacy transaction, its gas price.</param>
/// <param name="MaxPriorityFee">attoFIL per gas that go to the miner at most (EIP-1559); of a legacy transaction the same as <paramref name="MaxFee"/>.</param>
/// <param name="IsLegacy">Whether it is a legacy transaction (EIP-155) instead of type 2 (EIP-1559).</param>
public readonly record struct GasPrice(UInt128 MaxFee, UInt128 MaxPriorityFee, bool IsLegacy);

/// <summary>A transaction that is not signed: type 2 (EIP-1559, without an access list), or legacy with replay protection (EIP-155).</summary>
/// <param name="ChainId">The chain.</param>
/// <param name="Nonce">The account's transactions before it.</param>
/// <param name="Price">What it pays per gas.</param>
/// <param name="GasLimit">Gas that it may use.</param>
/// <param name="To">To whom; null deploys a contract.</param>
/// <param name="Value">attoFIL that go along.</param>
/// <param name="Data">The call, or creation code.</param>
public sealed record Transaction(ulong ChainId, ulong Nonce, GasPrice Price, ulong GasLimit, Address? To, UInt128 Value, ReadOnlyMemory<byte> Data)
{
    private const byte FeeMarketType = 2;

    /// <summary>The hash that is signed.</summary>
    public Bytes32 SigningHash()
    {
        if (Price.IsLegacy)
        {
            // EIP-155: chain ID, 0, 0 stand for the signature.
            return Bytes32.Keccak(new RlpWriter().List(Fields().Number(ChainId).Number(0).Number(0)).ToArray());
        }

        return Bytes32.Keccak([FeeMarketType, .. new RlpWriter().List(Fields()).ToArray()]);
    }

    /// <summary>Signs it.</summary>
    /// <param name="account">Who sends it.</param>
    /// <exception cref="InvalidOperationException">The account's signature is not its own.</exception>
    public SignedTransaction Sign(IAccount account)
    {
        ArgumentNullException.ThrowIfNull(account);
        var hash = SigningHash();
        var signature = account.SignHash(hash.ToArray());
        if (signature is not { Length: 65 } || signature[64] > 1 || !TryRecover(hash, signature.AsSpan(0, 64), signature[64], out var signer) || signer != account.Address)
        {
            throw new InvalidOperationException($"The key of {account.Address} gave a signature that is not of that address.");
        }

        var fields = Fields();
        fields = Price.IsLegacy ? fields.Number((UInt128)ChainId * 2 + 35 + signature[64]) : fields.Number(signature[64]);
        var list = new RlpWriter().List(fields.Number(signature.AsSpan(0, 32)).Number(signature.AsSpan(32, 32))).ToArray();
        byte[] raw = Price.IsLegacy ? list : [FeeMarketType, .. list];
        return new SignedTransaction(this, account.Address, raw, Bytes32.Keccak(raw));
    }

    /// <summary>The address that a contract gets when an account deploys it (Yellow Paper, section 7).</summary>
    /// <param name="deployer">The account.</param>
    /// <param name="nonce">The nonce of the deployment.</param>
    public static Address ContractAddress(Address deployer, ulong nonce) =>
        new(Bytes32.Keccak(new RlpWriter().List(new RlpWriter().Bytes(deployer.ToArray()).Number(nonce)).ToArray()).ToArray().AsSpan(12));

    /// <summary>Reads a signed transaction and recovers its sender. Another type, an access list, or anything not canonical gives false.</summary>
    /// <param name="raw">From anywhere.</param>
    /// <param name="signed">The transaction.</param>
    public static bool TryDecode(ReadOnlySpan<byte> raw, [NotNullWhen(true)] out SignedTransaction? signed)
    {
        signed = null;
        var legacy = raw is [>= 0xc0, ..];
        if (!legacy && raw is not [FeeMarketType, ..])
        {
            return false;
        }

        var outer = new RlpReader(legacy ? raw : raw[1..]);
        ulong chainId = 0;
        if (!outer.TryList(out var fields) || !outer.IsEmpty || (!legacy && !fields.TryNumber(out chainId)) || !fields.TryNumber(out ulong nonce))
        {
            return false;
        }

        UInt128 tip = 0;
        if ((!legacy && !fields.TryNumber(out tip)) || !fields.TryNumber(out UInt128 fee) || !fields.TryNumber(out ulong gas) || !fields.TryBytes(out var to) || to.Length is not (0 or Address.Size)
            || !fields.TryNumber(out UInt128 value) || !fields.TryBytes(out var data))
        {
            return false;
        }

        var accessList = default(RlpReader);
        Span<byte> rs = stackalloc byte[64];
        if ((!legacy && (!fields.TryList(out accessList) || !accessList.IsEmpty)) || !fields.TryNumber(out UInt128 v) || !fields.TryNumber(rs[..32]) || !fields.TryNumber(rs[32..]) || !fields.IsEmpty)
        {
            return false;
        }

        if (legacy)
        {
            if (v < 35 || (v - 35) / 2 > ulong.MaxValue)
            {
                return false;
            }

            chainId = (ulong)((v - 35) / 2);
            v = (v - 35) % 2;
        }

        if (v > 1)
        {
            return false;
        }

        var price = legacy ? new GasPrice(fee, fee, true) : new GasPrice(fee, tip, false);
        var transaction = new Transaction(chainId, nonce, price, gas, to.IsEmpty ? null : new Address(to), value, data.ToArray());
        if (!TryRecover(transaction.SigningHash(), rs, (int)v, out var sender))
        {
            return false;
        }

        signed = new SignedTransaction(transaction, sender, raw.ToArray(), Bytes32.Keccak(raw));
        return true;
    }

    internal static bool TryRecover(Bytes32 hash, ReadOnlySpan<byte> signature, int recoveryId, out Address signer)
    {
        Span<byte> publicKey = stackalloc byte[Secp256k1.UncompressedPublicKeySize];
        var recovered = Secp256k1.TryRecover(hash.ToArray(), signature, recoveryId, publicKey);
        signer = recovered ? Address.FromPublicKey(publicKey) : default;
        return recovered;
    }

    private RlpWriter Fields()
    {
        var fields = new RlpWriter();
        fields = Price.IsLegacy
            ? fields.Number(Nonce).Number(Price.MaxFee)
            : fields.Number(ChainId).Number(Nonce).Number(Price.MaxPriorityFee).Number(Price.MaxFee);
        fields = fields.Number(GasLimit).Bytes(To is { } to ? to.ToArray() : []).Number(Value).Bytes(Data.Span);
        return Price.IsLegacy ? fields : fields.List(new RlpWriter());
    }
}

/// <summary>A signed transaction.</summary>
/// <param name="Transaction">What was signed.</param>
/// <param name="From">Who signed.</param>
/// <param name="Raw">What is sent to a node.</param>
/// <param name="Hash">What it is known by.</param>
public sealed record SignedTransaction(Transaction Transaction, Address From, ReadOnlyMemory<byte> Raw, Bytes32 Hash);
