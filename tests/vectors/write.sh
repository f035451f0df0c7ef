#!/usr/bin/env bash
# Writes tests/vectors/settlement-8 and tests/vectors/forgeries anew: statements, development key, proofs.
set -euo pipefail
cd "$(dirname "$0")/../.."
SHALE_WRITE_VECTORS=1 dotnet test tests/Shale.Settlement.Tests -c Release --nologo --filter 'FullyQualifiedName~Shale.Settlement.Tests.Vectors|FullyQualifiedName~Shale.Settlement.Tests.Forgeries'
