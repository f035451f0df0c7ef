namespace Shale.Settlement.Tests.Model;

/// <summary>The errors of ShaleMarket.settle (docs/SETTLEMENT.md, "Who refuses what").</summary>
internal enum ContractRefusal
{
    None,
    NotCanonical,
    WrongFlags,
    WrongSlots,
    WrongLength,
    WrongRecord,
    NotOpen,
    AboveMaximum,
    NotLive,
    WrongFresh,
    PoolExceeded,
    ProofRefused,
}
