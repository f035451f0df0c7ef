global using System.Text.Json;
global using Shale.TestPeers;
global using Xunit;
global using static Shale.Crypto.Tests.Vectors;
