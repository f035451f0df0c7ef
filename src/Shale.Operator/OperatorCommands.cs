using System.Globalization;

namespace Shale.Operator;

/// <summary>
/// What a person at the provider's side tells an operator: it listens to nobody, so commands are files in its folder. <c>operator/drain</c>: no new orders;
/// <c>operator/evict/ID</c>: end this lease and settle it; <c>operator/settle</c>: settle all now.
/// </summary>
public static class OperatorCommands
{
    /// <summary>Stops or goes on taking orders.</summary>
    /// <param name="stateDirectory">The provider's state folder.</param>
    /// <param name="draining">Whether to stop.</param>
    public static void Drain(string stateDirectory, bool draining)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(DrainPath(stateDirectory))!);
        if (draining)
        {
            File.WriteAllText(DrainPath(stateDirectory), "");
        }
        else
        {
            File.Delete(DrainPath(stateDirectory));
        }
    }

    /// <summary>Ends a lease.</summary>
    /// <returns>False where the operator knows no open lease of that number.</returns>
    public static bool Evict(string stateDirectory, ulong lease)
    {
        var known = Path.Combine(stateDirectory, "operator", "leases", lease.ToString(CultureInfo.InvariantCulture) + ".json");
        if (!File.Exists(known))
        {
            return false;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(EvictPath(stateDirectory, lease))!);
        File.WriteAllText(EvictPath(stateDirectory, lease), "");
        return true;
    }

    /// <summary>Settles all that was signed, in the operator's next round.</summary>
    public static void SettleNow(string stateDirectory)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(SettlePath(stateDirectory))!);
        File.WriteAllText(SettlePath(stateDirectory), "");
    }

    internal static string SettlePath(string stateDirectory) => Path.Combine(stateDirectory, "operator", "settle");

    internal static string DrainPath(string stateDirectory) => Path.Combine(stateDirectory, "operator", "drain");

    internal static bool IsEvicted(string stateDirectory, ulong lease) => File.Exists(EvictPath(stateDirectory, lease));

    private static string EvictPath(string stateDirectory, ulong lease) => Path.Combine(stateDirectory, "operator", "evict", lease.ToString(CultureInfo.InvariantCulture));
}
