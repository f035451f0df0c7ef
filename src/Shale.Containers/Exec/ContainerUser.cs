using System.Globalization;
using System.Text;

namespace Shale.Containers.Exec;

/// <summary>A user of a container, from its own /etc/passwd and /etc/group.</summary>
/// <param name="Name">The login name; the number where passwd has none.</param>
/// <param name="Uid">User id.</param>
/// <param name="Gid">Primary group id.</param>
/// <param name="Groups">Supplementary group ids, the primary one among them.</param>
/// <param name="Home">Home folder, absolute.</param>
/// <param name="Shell">The login shell of passwd; empty where it names none.</param>
public sealed record ContainerUser(string Name, uint Uid, uint Gid, IReadOnlyList<uint> Groups, string Home, string Shell)
{
    /// <summary>Larger than any passwd or group file that a machine with some ten thousand accounts has.</summary>
    private const int MaxFile = 1 << 20;

    /// <summary>Linux's NGROUPS_MAX.</summary>
    private const int MaxGroups = 65536;

    /// <summary>The group that terminals belong to: "tty" in the container's /etc/group, else Linux's customary 5.</summary>
    public uint TerminalGroup { get; init; } = 5;

    /// <summary>Resolves <c>name|uid[:group|gid]</c> as Docker does; null if it names nobody.</summary>
    internal static ContainerUser? TryResolve(ContainerRoot root, string? user) =>
        TryResolve(root.TryReadSmallFile("/etc/passwd", MaxFile), root.TryReadSmallFile("/etc/group", MaxFile), user);

    /// <summary>The same from the files' bytes; null bytes stand for a missing file. The files are the container's: any bytes may be in them.</summary>
    internal static ContainerUser? TryResolve(byte[]? passwd, byte[]? group, string? user)
    {
        user = string.IsNullOrEmpty(user) ? "0" : user;
        var colon = user.IndexOf(':', StringComparison.Ordinal);
        var (userPart, groupPart) = colon < 0 ? (user, null) : (user[..colon], user[(colon + 1)..]);
        userPart = userPart.Length == 0 ? "0" : userPart;
        var isNumber = uint.TryParse(userPart, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number < uint.MaxValue;

        ContainerUser? found = null;
        foreach (var line in Lines(passwd))
        {
            // name:password:uid:gid:comment:home:shell (passwd(5))
            var fields = line.Split(':');
            if (fields.Length >= 6 && TryId(fields[2], out var uid) && TryId(fields[3], out var gid) && (fields[0] == userPart || (isNumber && uid == number)))
            {
                found = new ContainerUser(fields[0], uid, gid, [], fields[5].StartsWith('/') ? fields[5] : "/", fields.Length > 6 ? fields[6] : "");
                break;
            }
        }

        if (found is null)
        {
            if (!isNumber)
            {
                return null;
            }

            found = new ContainerUser(userPart, number, 0, [], number == 0 ? "/root" : "/", "");
        }

        uint? primary = null;
        uint terminalGroup = 5;
        var groups = new List<uint>();
        foreach (var line in Lines(group))
        {
            // name:password:gid:member,member (group(5))
            var fields = line.Split(':');
            if (fields.Length < 3 || !TryId(fields[2], out var gid))
            {
                continue;
            }

            if (fields[0] == "tty")
            {
                terminalGroup = gid;
            }

            if (groupPart is not null && fields[0] == groupPart)
            {
                primary ??= gid;
            }

            if (groupPart is null && fields.Length > 3 && groups.Count < MaxGroups - 1 && fields[3].Split(',').Contains(found.Name))
            {
                groups.Add(gid);
            }
        }

        if (groupPart is not null && primary is null)
        {
            if (!TryId(groupPart, out var gid))
            {
                return null;
            }

            primary = gid;
        }

        primary ??= found.Gid;
        groups.Remove(primary.Value);
        groups.Insert(0, primary.Value);
        return found with { Gid = primary.Value, Groups = groups, TerminalGroup = terminalGroup };
    }

    private static bool TryId(string text, out uint id) => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out id) && id < uint.MaxValue;

    private static IEnumerable<string> Lines(byte[]? file) =>
        file is null ? [] : Encoding.UTF8.GetString(file).Replace("\0", "", StringComparison.Ordinal).Split('\n').Select(l => l.TrimEnd('\r')).Where(l => l.Length > 0 && l[0] != '#');
}
