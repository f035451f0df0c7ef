// Checks a voucher log with Go's own implementations of transparency logs and signed notes
// (golang.org/x/mod/sumdb/tlog and note): main.go DIR VERIFIER-KEY [PROOFS-FILE]
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func fail(format string, args ...any) {
	fmt.Printf("FAIL "+format+"\n", args...)
	os.Exit(1)
}

// index is tlog-tiles' path element: Go's own tiles use the same one behind the tile height.
func index(n int64) string {
	s := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		s = fmt.Sprintf("x%03d/%s", n%1000, s)
	}
	return s
}

func read(dir, path string, width int) []byte {
	if width != 256 {
		path += ".p/" + strconv.Itoa(width)
	}
	data, err := os.ReadFile(filepath.Join(dir, path))
	if err != nil {
		fail("%v", err)
	}
	return data
}

type stored []tlog.Hash

func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		if x >= int64(len(s)) {
			return nil, fmt.Errorf("hash %d is not stored", x)
		}
		out[i] = s[x]
	}
	return out, nil
}

func main() {
	dir := os.Args[1]
	verifier, err := note.NewVerifier(os.Args[2])
	if err != nil {
		fail("verifier key: %v", err)
	}
	signed, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		fail("%v", err)
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		fail("checkpoint: %v", err)
	}
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || lines[0] != verifier.Name() {
		fail("checkpoint body: %q", opened.Text)
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		fail("root: %v", err)
	}

	var hashes stored
	for n := int64(0); n < size; {
		width := 256
		if size-n < 256 {
			width = int(size - n)
		}
		bundle := read(dir, "tile/entries/"+index(n/256), width)
		for i := 0; i < width; i++ {
			if len(bundle) < 2 {
				fail("bundle %d ends early", n/256)
			}
			length := int(binary.BigEndian.Uint16(bundle))
			entry := bundle[2 : 2+length]
			bundle = bundle[2+length:]
			more, err := tlog.StoredHashes(n, entry, hashes)
			if err != nil {
				fail("%v", err)
			}
			hashes = append(hashes, more...)
			n++
		}
		if len(bundle) != 0 {
			fail("bundle has %d bytes too many", len(bundle))
		}
	}
	computed, err := tlog.TreeHash(size, hashes)
	if size == 0 { // RFC 6962, 2.1; this version of tlog gives zeros
		computed = sha256.Sum256(nil)
	}
	if err != nil || computed != root {
		fail("root %v, computed %v (%v)", root, computed, err)
	}

	tiles := 0
	for _, tile := range tlog.NewTiles(8, 0, size) {
		if tile.W != 256 && int64(tile.W) != (size>>(8*tile.L))&255 {
			continue // a partial tile that a larger one has replaced
		}
		want, err := tlog.ReadTileData(tile, hashes)
		if err != nil {
			fail("%v", err)
		}
		if got := read(dir, fmt.Sprintf("tile/%d/%s", tile.L, index(tile.N)), tile.W); !bytes.Equal(got, want) {
			fail("tile %v differs", tile)
		}
		tiles++
	}

	proofs := 0
	if len(os.Args) > 3 {
		file, err := os.Open(os.Args[3])
		if err != nil {
			fail("%v", err)
		}
		scanner := bufio.NewScanner(file)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() { // "c OLD NEW hash..." or "i INDEX SIZE hash..."
			fields := strings.Fields(scanner.Text())
			a, _ := strconv.ParseInt(fields[1], 10, 64)
			b, _ := strconv.ParseInt(fields[2], 10, 64)
			var proof []tlog.Hash
			for _, f := range fields[3:] {
				raw, err := base64.StdEncoding.DecodeString(f)
				if err != nil {
					fail("%v", err)
				}
				var hash tlog.Hash
				copy(hash[:], raw)
				proof = append(proof, hash)
			}
			tree, _ := tlog.TreeHash(b, hashes)
			if fields[0] == "c" {
				old, _ := tlog.TreeHash(a, hashes)
				err = tlog.CheckTree(proof, b, tree, a, old)
			} else {
				leaf, _ := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, a)})
				err = tlog.CheckRecord(proof, b, tree, a, leaf[0])
			}
			if err != nil {
				fail("proof %s: %v", fields[:3], err)
			}
			proofs++
		}
	}
	fmt.Printf("OK %d entries, %d tiles, %d proofs\n", size, tiles, proofs)
}
