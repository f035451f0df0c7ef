using Shale.Cli;

return await Shell.RunAsync(args).ConfigureAwait(false);
