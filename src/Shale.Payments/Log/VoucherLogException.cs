namespace Shale.Payments.Log;

/// <summary>A log that can't be opened or written; the message says what, where, and what to do. Money code stops on it.</summary>
public sealed class VoucherLogException : IOException
{
    /// <summary>Says what is wrong.</summary>
    public VoucherLogException(string message)
        : base(message)
    {
    }

    /// <summary>Says what is wrong and what caused it.</summary>
    public VoucherLogException(string message, Exception cause)
        : base(message, cause)
    {
    }
}
