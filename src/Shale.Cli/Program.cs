using System.CommandLine;

var root = new RootCommand("Lease GPU containers next to Filecoin data, over SSH, paid by the second.");
return await root.Parse(args).InvokeAsync().ConfigureAwait(false);
