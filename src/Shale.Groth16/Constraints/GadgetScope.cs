namespace Shale.Groth16.Constraints;

/// <summary>A gadget that was entered; disposing of it leaves the gadget.</summary>
public readonly struct GadgetScope : IDisposable, IEquatable<GadgetScope>
{
    private readonly ConstraintSystem _system;

    internal GadgetScope(ConstraintSystem system) => _system = system;

    /// <summary>True for the same scope of the same system.</summary>
    public static bool operator ==(GadgetScope left, GadgetScope right) => left.Equals(right);

    /// <summary>False for the same scope of the same system.</summary>
    public static bool operator !=(GadgetScope left, GadgetScope right) => !left.Equals(right);

    /// <inheritdoc/>
    public void Dispose() => _system.Leave();

    /// <inheritdoc/>
    public bool Equals(GadgetScope other) => ReferenceEquals(_system, other._system);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is GadgetScope other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => _system?.GetHashCode() ?? 0;
}
