namespace Shale.Ssh.Keys;

/// <summary>What the check of a signature gave. Everything but <see cref="Ok"/> refuses.</summary>
public enum SignatureCheck
{
    /// <summary>It does not verify, or is not formed as its algorithm prescribes.</summary>
    Bad,

    /// <summary>It verifies.</summary>
    Ok,

    /// <summary>It was made with another algorithm than agreed, or the key cannot make that algorithm's signatures (RFC 8332 section 3).</summary>
    AlgorithmMismatch,

    /// <summary>A security key made it without its user touching it, which was required.</summary>
    NoUserPresence,

    /// <summary>A security key made it without verifying its user (PIN or biometrics), which was required.</summary>
    NoUserVerification,
}

/// <summary>What a security key (sk-…@openssh.com) has to attest with a signature. It says nothing about other keys.</summary>
[Flags]
public enum SecurityKeyPolicy
{
    /// <summary>Nothing: the authorized key or certificate says no-touch-required.</summary>
    None = 0,

    /// <summary>That its user touched it; the rule unless said otherwise.</summary>
    RequirePresence = 1,

    /// <summary>That it verified its user: the authorized key or certificate says verify-required.</summary>
    RequireVerification = 2,
}

/// <summary>What a security key attested together with a valid signature (OpenSSH's PROTOCOL.u2f).</summary>
/// <param name="Flags">The authenticator's flags: bit 0 user presence, bit 2 user verification.</param>
/// <param name="Counter">The authenticator's signature counter, which rises with every use; 0 where it keeps none.</param>
public readonly record struct SecurityKeyAssertion(byte Flags, uint Counter)
{
    internal const byte UserPresent = 0x01;
    internal const byte UserVerified = 0x04;
}
