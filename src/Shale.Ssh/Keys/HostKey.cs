using System.Collections.Concurrent;
using System.Security.Cryptography;
using Shale.Crypto;
using Shale.Wire;

namespace Shale.Ssh.Keys;

/// <summary>A private key with which a host proves itself. Signing may be called from several threads at once; disposing zeroes the key.</summary>
public abstract class HostKey : IDisposable
{
    /// <summary>The public half.</summary>
    public abstract SshPublicKey PublicKey { get; }

    /// <summary>The signature algorithms that it can sign with, best first; the names that a key exchange offers for it.</summary>
    public abstract IReadOnlyList<string> SignatureAlgorithms { get; }

    /// <summary>Signs.</summary>
    /// <param name="algorithm">One of <see cref="SignatureAlgorithms"/>.</param>
    /// <param name="data">What to sign.</param>
    /// <returns>The signature in SSH's encoding: the algorithm's name and the inner string.</returns>
    /// <exception cref="ArgumentException">The algorithm is not one of this key's.</exception>
    /// <exception cref="ObjectDisposedException">The key was disposed.</exception>
    public byte[] Sign(string algorithm, ReadOnlySpan<byte> data)
    {
        if (!SignatureAlgorithms.Contains(algorithm, StringComparer.Ordinal))
        {
            throw new ArgumentException($"A key of type {PublicKey.KeyType} does not sign with {algorithm}.", nameof(algorithm));
        }

        using var buffer = new PooledBufferWriter(SshPublicKey.MaxBlobSize);
        var writer = new WireWriter(buffer);
        writer.WriteString(algorithm);
        writer.WriteString(SignInner(algorithm, data));
        return buffer.WrittenSpan.ToArray();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Makes the signature's inner string.</summary>
    /// <param name="algorithm">One of <see cref="SignatureAlgorithms"/>.</param>
    /// <param name="data">What to sign.</param>
    /// <returns>The inner string.</returns>
    protected abstract byte[] SignInner(string algorithm, ReadOnlySpan<byte> data);

    /// <summary>Zeroes the key.</summary>
    /// <param name="disposing">Whether it is called by <see cref="Dispose()"/>.</param>
    protected abstract void Dispose(bool disposing);

    /// <summary>Writes the private fields as they stand in OpenSSH's file format, from the type name on.</summary>
    internal abstract void WritePrivate(WireWriter writer);
}

internal sealed class Ed25519HostKey : HostKey
{
    private readonly byte[] _seed;
    private readonly Ed25519PrivateKey _key;

    internal Ed25519HostKey(ReadOnlySpan<byte> seed)
    {
        _seed = seed.ToArray();
        _key = new Ed25519PrivateKey(seed);
        PublicKey = new SshPublicKey(SshKeyAlgorithms.Ed25519, new Ed25519Material(_key.PublicKey.ToArray()));
    }

    public override SshPublicKey PublicKey { get; }

    public override IReadOnlyList<string> SignatureAlgorithms { get; } = [SshKeyAlgorithms.Ed25519];

    internal static Ed25519HostKey Generate()
    {
        Span<byte> seed = stackalloc byte[Ed25519.SeedSize];
        RandomNumberGenerator.Fill(seed);
        var key = new Ed25519HostKey(seed);
        CryptographicOperations.ZeroMemory(seed);
        return key;
    }

    internal override void WritePrivate(WireWriter writer)
    {
        writer.WriteString(SshKeyAlgorithms.Ed25519);
        writer.WriteString(_key.PublicKey);
        writer.WriteUInt32(Ed25519.SeedSize + Ed25519.PublicKeySize);
        writer.WriteBytes(_seed);
        writer.WriteBytes(_key.PublicKey);
    }

    protected override byte[] SignInner(string algorithm, ReadOnlySpan<byte> data)
    {
        var signature = new byte[Ed25519.SignatureSize];
        _key.Sign(data, signature);
        return signature;
    }

    protected override void Dispose(bool disposing)
    {
        CryptographicOperations.ZeroMemory(_seed);
        _key.Dispose();
    }
}

internal sealed class EcdsaHostKey : HostKey
{
    private readonly NistCurve _curve;
    private readonly byte[] _point;
    private readonly byte[] _scalar;
    private readonly InstancePool<ECDsa> _pool;

    /// <exception cref="CryptographicException">The point is not the scalar's.</exception>
    internal EcdsaHostKey(NistCurve curve, byte[] point, byte[] scalar)
    {
        _curve = curve;
        _point = point;
        _scalar = scalar;
        _pool = new InstancePool<ECDsa>(() => ECDsa.Create(curve.Parameters(point, scalar)));
        var type = "ecdsa-sha2-" + curve.Name;
        SignatureAlgorithms = [type];
        using var buffer = new PooledBufferWriter(SshPublicKey.MaxBlobSize);
        var writer = new WireWriter(buffer);
        writer.WriteString(type);
        writer.WriteString(curve.Name);
        writer.WriteString(point);
        PublicKey = SshPublicKey.TryParse(buffer.WrittenSpan, out var key) ? key : throw new CryptographicException("The point does not lie on its curve.");
    }

    public override SshPublicKey PublicKey { get; }

    public override IReadOnlyList<string> SignatureAlgorithms { get; }

    internal static EcdsaHostKey Generate(string curveName)
    {
        var curve = NistCurve.Get(curveName);
        using var ecdsa = curve.Generate();
        var parameters = ecdsa.ExportParameters(includePrivateParameters: true);
        return new EcdsaHostKey(curve, [4, .. parameters.Q.X!, .. parameters.Q.Y!], parameters.D!);
    }

    internal override void WritePrivate(WireWriter writer)
    {
        writer.WriteString(PublicKey.KeyType);
        writer.WriteString(_curve.Name);
        writer.WriteString(_point);
        writer.WriteMpint(_scalar);
    }

    protected override byte[] SignInner(string algorithm, ReadOnlySpan<byte> data)
    {
        var ecdsa = _pool.Rent();
        var signature = ecdsa.SignData(data, _curve.Hash);
        _pool.Return(ecdsa);
        using var buffer = new PooledBufferWriter(256);
        var writer = new WireWriter(buffer);
        writer.WriteMpint(signature.AsSpan(0, _curve.FieldSize));
        writer.WriteMpint(signature.AsSpan(_curve.FieldSize));
        return buffer.WrittenSpan.ToArray();
    }

    protected override void Dispose(bool disposing)
    {
        CryptographicOperations.ZeroMemory(_scalar);
        _pool.Dispose();
    }
}

internal sealed class RsaHostKey : HostKey
{
    private readonly RSAParameters _parameters;
    private readonly InstancePool<RSA> _pool;

    /// <exception cref="CryptographicException">The numbers are not an RSA key within our bounds.</exception>
    internal RsaHostKey(RSAParameters parameters)
    {
        _parameters = parameters;
        _pool = new InstancePool<RSA>(() => RSA.Create(parameters));
        using var buffer = new PooledBufferWriter(SshPublicKey.MaxBlobSize);
        var writer = new WireWriter(buffer);
        writer.WriteString(SshKeyAlgorithms.Rsa);
        writer.WriteMpint(parameters.Exponent);
        writer.WriteMpint(parameters.Modulus);
        PublicKey = SshPublicKey.TryParse(buffer.WrittenSpan, out var key) ? key : throw new CryptographicException("The RSA key has fewer than 2048 or more than 16384 bits, or an exponent that is even or above 32 bits.");
    }

    public override SshPublicKey PublicKey { get; }

    public override IReadOnlyList<string> SignatureAlgorithms { get; } = [SshKeyAlgorithms.RsaSha512, SshKeyAlgorithms.RsaSha256];

    internal static RsaHostKey Generate(int bits)
    {
        using var rsa = RSA.Create(bits);
        return new RsaHostKey(rsa.ExportParameters(includePrivateParameters: true));
    }

    internal override void WritePrivate(WireWriter writer)
    {
        writer.WriteString(SshKeyAlgorithms.Rsa);
        writer.WriteMpint(_parameters.Modulus);
        writer.WriteMpint(_parameters.Exponent);
        writer.WriteMpint(_parameters.D);
        writer.WriteMpint(_parameters.InverseQ);
        writer.WriteMpint(_parameters.P);
        writer.WriteMpint(_parameters.Q);
    }

    protected override byte[] SignInner(string algorithm, ReadOnlySpan<byte> data)
    {
        var rsa = _pool.Rent();
        var signature = rsa.SignData(data, algorithm == SshKeyAlgorithms.RsaSha512 ? HashAlgorithmName.SHA512 : HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        _pool.Return(rsa);
        return signature;
    }

    protected override void Dispose(bool disposing)
    {
        foreach (var secret in new[] { _parameters.D, _parameters.P, _parameters.Q, _parameters.DP, _parameters.DQ, _parameters.InverseQ })
        {
            CryptographicOperations.ZeroMemory(secret);
        }

        _pool.Dispose();
    }
}

/// <summary>
/// The BCL does not promise that an instance signs from several threads at once, and a lock would make logins wait for each other's RSA: so each signature
/// has an instance for itself. There are as many as ever signed at once.
/// </summary>
internal sealed class InstancePool<T>(Func<T> make) : IDisposable
    where T : class, IDisposable
{
    private readonly ConcurrentBag<T> _free = [];
    private volatile bool _disposed;

    internal T Rent()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _free.TryTake(out var instance) ? instance : make();
    }

    internal void Return(T instance)
    {
        _free.Add(instance);
        if (_disposed)
        {
            Dispose();
        }
    }

    public void Dispose()
    {
        _disposed = true;
        while (_free.TryTake(out var instance))
        {
            instance.Dispose();
        }
    }
}
