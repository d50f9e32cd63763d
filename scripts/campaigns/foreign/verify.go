// Verifies with Go's sumdb packages what `cargo run --example proofs` of the crate audit wrote; see ../proofs.
//
// It shares no line with ours. Each proof is checked, computed anew from our tiles and compared, and refused in every way
// in which it was changed.
package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var wrong, refused int

func check(fine bool, format string, values ...interface{}) {
	if !fine {
		wrong++
		fmt.Printf("WRONG: "+format+"\n", values...)
	}
}

// refuses counts a change that was refused, and names one that was not.
func refuses(err error, format string, values ...interface{}) {
	check(err != nil, "a change was taken: "+format, values...)
	if err != nil {
		refused++
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func read(parts ...string) string {
	data, err := os.ReadFile(filepath.Join(parts...))
	must(err)
	return string(data)
}

func hash(text string) tlog.Hash {
	found, err := tlog.ParseHash(text)
	must(err)
	return found
}

func number(text string) int64 {
	found, err := strconv.ParseInt(text, 10, 64)
	must(err)
	return found
}

func flipped(hash tlog.Hash, bit int) tlog.Hash {
	hash[bit/8%32] ^= 1 << (bit % 8)
	return hash
}

// tiles reads our files, which have no height in their paths; a narrower tile is the beginning of a wider one.
type tiles map[string][]byte

func (t tiles) Height() int { return 8 }

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range wanted {
		full := tile
		full.W = 256
		data := t["tile/"+strings.TrimPrefix(full.Path(), "tile/8/")]
		if len(data) < 32*tile.W {
			return nil, fmt.Errorf("%s is missing", tile.Path())
		}
		found = append(found, data[:32*tile.W])
	}
	return found, nil
}

func loaded(folder string) tiles {
	found := tiles{}
	must(filepath.Walk(filepath.Join(folder, "tile"), func(path string, file os.FileInfo, err error) error {
		if err == nil && !file.IsDir() {
			name, _ := filepath.Rel(folder, path)
			found[strings.Split(name, ".p/")[0]] = []byte(read(path))
		}
		return err
	}))
	return found
}

// checkpoint opens a note and reads its three lines.
func checkpoint(text string, keys note.Verifiers) (int64, tlog.Hash, error) {
	opened, err := note.Open([]byte(text), keys)
	if err != nil {
		return 0, tlog.Hash{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	return number(lines[1]), hash(lines[2]), nil
}

func checkpoints(folder string, keys note.Verifiers) int {
	names, err := filepath.Glob(filepath.Join(folder, "checkpoints", "*"))
	must(err)
	for _, name := range names {
		text := read(name)
		size, _, err := checkpoint(text, keys)
		check(err == nil && fmt.Sprintf("%020d", size) == filepath.Base(name), "checkpoint %s: %v", name, err)
		_, _, err = checkpoint(strings.Replace(text, "\n", "x\n", 1), keys)
		refuses(err, "another origin in %s", name)
	}
	return len(names)
}

func proofs(folder string, all tiles) (int, int) {
	inclusions, consistencies := 0, 0
	for at, line := range strings.Split(strings.TrimSpace(read(folder, "proofs")), "\n") {
		parts := strings.Fields(line)
		size, root, other, leaf := number(parts[1]), hash(parts[2]), number(parts[3]), hash(parts[4])
		var path []tlog.Hash
		if parts[5] != "-" {
			for _, text := range strings.Split(parts[5], ",") {
				path = append(path, hash(text))
			}
		}
		reader := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, all)
		verify := func(path []tlog.Hash, root, leaf tlog.Hash) error {
			return tlog.CheckTree(path, size, root, other, leaf)
		}
		var again []tlog.Hash
		var err error
		if parts[0] == "inclusion" {
			inclusions++
			verify = func(path []tlog.Hash, root, leaf tlog.Hash) error {
				return tlog.CheckRecord(path, size, root, other, leaf)
			}
			again, err = tlog.ProveRecord(size, other, reader)
		} else {
			consistencies++
			again, err = tlog.ProveTree(size, other, reader)
		}
		check(err == nil && fmt.Sprint(again) == fmt.Sprint(path), "line %d: Go makes another proof: %v", at+1, err)
		err = verify(path, root, leaf)
		check(err == nil, "line %d: %v", at+1, err)
		refuses(verify(path, flipped(root, at), leaf), "the root of line %d", at+1)
		refuses(verify(path, root, flipped(leaf, at)), "the leaf of line %d", at+1)
		refuses(verify(append([]tlog.Hash{leaf}, path...), root, leaf), "one hash more in line %d", at+1)
		if len(path) > 0 {
			changed := append([]tlog.Hash{}, path...)
			changed[at%len(path)] = flipped(changed[at%len(path)], at)
			refuses(verify(changed, root, leaf), "a hash of line %d", at+1)
			refuses(verify(path[1:], root, leaf), "one hash less in line %d", at+1)
		}
	}
	return inclusions, consistencies
}

// receipts are C2SP tlog-proof, for which these packages have no reader; the few lines are read here.
func receipts(folder string, keys note.Verifiers) int {
	names, err := filepath.Glob(filepath.Join(folder, "receipts", "*.tlog-proof"))
	must(err)
	for _, name := range names {
		entry := []byte(read(strings.TrimSuffix(name, ".tlog-proof") + ".line"))
		head, signed, _ := strings.Cut(read(name), "\n\n")
		lines := strings.Split(head, "\n")
		check(lines[0] == "c2sp.org/tlog-proof@v1", "%s begins with %q", name, lines[0])
		index := number(strings.TrimPrefix(lines[1], "index "))
		var path []tlog.Hash
		for _, line := range lines[2:] {
			path = append(path, hash(line))
		}
		size, root, err := checkpoint(signed, keys)
		check(err == nil, "%s: %v", name, err)
		err = tlog.CheckRecord(path, size, root, index, tlog.RecordHash(entry))
		check(err == nil, "%s: %v", name, err)
		changed := bytes.Replace(entry, []byte(`"ok"`), []byte(`"no"`), 1)
		refuses(tlog.CheckRecord(path, size, root, index, tlog.RecordHash(changed)), "the entry of %s", name)
		raw := strings.Replace(signed, base64.StdEncoding.EncodeToString(root[:]), tlog.Hash{}.String(), 1)
		_, _, err = checkpoint(raw, keys)
		refuses(err, "the checkpoint of %s", name)
	}
	return len(names)
}

func main() {
	folder := os.Args[1]
	export := filepath.Join(folder, "export")
	var known []note.Verifier
	for _, line := range strings.Split(strings.TrimSpace(read(export, "keys")), "\n") {
		if !strings.HasPrefix(line, "#") {
			key, err := note.NewVerifier(line)
			must(err)
			known = append(known, key)
		}
	}
	keys := note.VerifierList(known...)
	signed := checkpoints(export, keys)
	inclusions, consistencies := proofs(folder, loaded(export))
	slips := receipts(folder, keys)
	fmt.Printf("| Go `sumdb/note`, `sumdb/tlog` | %d | %d | %d | %d | %d | %d |\n",
		inclusions, consistencies, signed, slips, refused, wrong)
	if wrong > 0 {
		os.Exit(1)
	}
}
