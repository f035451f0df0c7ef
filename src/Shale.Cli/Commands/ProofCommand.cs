using System.CommandLine;
using Shale.Groth16;
using Shale.Groth16.Files;
using Shale.Groth16.Setup;
using Shale.Groth16.Verifier;

namespace Shale.Cli.Commands;

/// <summary><c>shale proof</c>: Groth16 keys and proofs in iden3's file formats.</summary>
internal static class ProofCommand
{
    public static Command Create() => new("proof", "Make keys, prove, verify, and export verifiers (Groth16, iden3's formats)")
    {
        CreateSetup(), CreateProve(), CreateVerify(), CreateInspect(), ProofCircuitCommand.Create(), CreateExportKey(), CreateExportVerifier(),
    };

    private static Command CreateSetup()
    {
        var r1cs = new Argument<string>("circuit.r1cs") { Description = "The constraint system." };
        var key = new Argument<string>($"key{DevelopmentSetup.RequiredSuffix}") { Description = $"The key to write; its name ends in {DevelopmentSetup.RequiredSuffix}." };
        var development = new Option<bool>("--dev") { Description = "Say that you know that the key is not for real money." };
        var seed = new Option<string?>("--seed") { Description = "32 bytes or more, hexadecimal. Default: a seed that everybody knows." };
        var command = new Command("setup", "Make a development key from a seed (not for real money)") { r1cs, key, development, seed };
        command.SetAction((parsed, cancellation) =>
        {
            if (!parsed.GetValue(development))
            {
                throw new CliError("A key from a seed is for development only.", "Say --dev if that is what you want; docs/CEREMONY.md makes keys for real money.", ExitCodes.Usage);
            }

            if (!parsed.GetValue(key)!.EndsWith(DevelopmentSetup.RequiredSuffix, StringComparison.Ordinal))
            {
                throw new CliError($"The name of a development key ends in {DevelopmentSetup.RequiredSuffix}.", null, ExitCodes.Usage);
            }

            if (!ProofFiles.TrySetup(parsed.GetValue(r1cs)!, parsed.GetValue(key)!, Seed(parsed.GetValue(seed)), out var fault, Progress("setup"), cancellation))
            {
                throw Refused(fault);
            }

            Console.Error.WriteLine();
            Console.Error.WriteLine(DevelopmentSetup.Warning);
            return Task.FromResult(ExitCodes.Success);
        });
        return command;
    }

    private static Command CreateProve()
    {
        var key = new Argument<string>("key.zkey") { Description = "The proving key." };
        var witness = new Argument<string>("witness.wtns") { Description = "The values of all wires." };
        var proof = new Option<string>("--proof") { Description = "Where to write the proof.", DefaultValueFactory = _ => "proof.json" };
        var inputs = new Option<string>("--public") { Description = "Where to write the public inputs.", DefaultValueFactory = _ => "public.json" };
        var command = new Command("prove", "Prove a witness; a proof that does not verify is never written") { key, witness, proof, inputs };
        command.SetAction((parsed, cancellation) =>
        {
            if (!ProofFiles.TryProve(
                parsed.GetValue(key)!, parsed.GetValue(witness)!, parsed.GetValue(proof)!, parsed.GetValue(inputs)!, out var fault, Progress("prove"), cancellation))
            {
                throw Refused(fault);
            }

            return Task.FromResult(ExitCodes.Success);
        });
        return command;
    }

    private static Command CreateVerify()
    {
        var key = new Argument<string>("verification_key.json") { Description = "The verification key, or a .zkey." };
        var inputs = new Argument<string>("public.json") { Description = "The public inputs." };
        var proof = new Argument<string>("proof.json") { Description = "The proof." };
        var command = new Command("verify", "Verify a proof") { key, inputs, proof };
        command.SetAction(parsed =>
        {
            if (!ProofFiles.TryVerify(parsed.GetValue(key)!, parsed.GetValue(inputs)!, parsed.GetValue(proof)!, out var verdict, out var fault))
            {
                throw Refused(fault);
            }

            Console.WriteLine(verdict switch
            {
                Verdict.Valid => "OK",
                Verdict.WrongInputCount => "INVALID: the key is for another number of public inputs",
                Verdict.UnsafeKey => "INVALID: nobody has contributed to phase 2 of this key (gamma = delta), so proofs under it show nothing",
                _ => "INVALID",
            });
            return verdict == Verdict.Valid ? ExitCodes.Success : ExitCodes.Failure;
        });
        return command;
    }

    private static Command CreateInspect()
    {
        var file = new Argument<string>("file") { Description = "A .r1cs, .zkey, .wtns or verification_key.json; or settlement-8, settlement-64, settlement-256." };
        var command = new Command("inspect", "Say what a file holds, and whether it is safe") { file };
        command.SetAction(parsed =>
        {
            if (ProofCircuitCommand.TryDescribe(parsed.GetValue(file)!))
            {
                return;
            }

            if (!ProofFiles.TryInspect(parsed.GetValue(file)!, out var facts, out var fault))
            {
                throw Refused(fault);
            }

            foreach (var (name, value) in facts)
            {
                Console.WriteLine($"{name,-22} {value}");
            }
        });
        return command;
    }

    private static Command CreateExportKey()
    {
        var key = new Argument<string>("key.zkey") { Description = "The proving key." };
        var output = Output("verification_key.json");
        var command = new Command("export-key", "Write the verification key of a proving key") { key, output };
        command.SetAction(parsed => File.WriteAllText(parsed.GetValue(output)!, SnarkJsJson.Write(ReadKey(parsed.GetValue(key)!))));
        return command;
    }

    private static Command CreateExportVerifier()
    {
        var key = new Argument<string>("key") { Description = "A .zkey or a verification_key.json." };
        var output = Output("Verifier.sol");
        var name = new Option<string>("--name") { Description = "The contract's name.", DefaultValueFactory = _ => "Groth16Verifier" };
        var command = new Command("export-verifier", "Write a Solidity contract that verifies proofs under a key") { key, output, name };
        command.SetAction(parsed =>
        {
            var verificationKey = ReadKey(parsed.GetValue(key)!);
            if (verificationKey.LacksPhase2)
            {
                throw new CliError("Nobody has contributed to phase 2 of this key (gamma = delta): proofs under it show nothing.", "snarkjs zkey contribute");
            }

            File.WriteAllText(parsed.GetValue(output)!, SolidityVerifier.Write(verificationKey, parsed.GetValue(name)!));
            if (verificationKey.IsDevelopment)
            {
                Console.Error.WriteLine(DevelopmentSetup.Warning);
            }
        });
        return command;
    }

    private static Option<string> Output(string standard) => new("--output", "-o") { Description = "Where to write.", DefaultValueFactory = _ => standard };

    private static VerificationKey ReadKey(string path) =>
        ProofFiles.TryReadVerificationKey(path, out var key, out var fault) ? key : throw Refused(fault);

    private static byte[] Seed(string? text)
    {
        if (text is null)
        {
            return ProofFiles.DefaultSeed.ToArray();
        }

        try
        {
            var seed = Convert.FromHexString(text);
            return seed.Length >= 32 ? seed : throw new CliError("A seed has at least 32 bytes.", null, ExitCodes.Usage);
        }
        catch (FormatException)
        {
            throw new CliError("The seed is not hexadecimal.", null, ExitCodes.Usage);
        }
    }

    private static CliError Refused(FileFault fault) => new(fault.ToString(), null, ExitCodes.NoInput);

    /// <summary>A percentage on one line of a terminal; nothing into a file or a pipe.</summary>
    private static Line? Progress(string what) => Console.IsErrorRedirected ? null : new Line(what);

    private sealed class Line(string what) : IProgress<double>
    {
        private int _shown = -1;

        public void Report(double value)
        {
            var percent = (int)(100 * value);
            if (percent > Interlocked.Exchange(ref _shown, percent))
            {
                Console.Error.Write($"\r{what} {percent} %");
                if (percent == 100)
                {
                    Console.Error.WriteLine();
                }
            }
        }
    }
}
