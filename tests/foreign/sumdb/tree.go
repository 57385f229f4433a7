package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

// tree is a log at the size of a checkpoint.
type tree struct {
	log     string
	head    tlog.Tree
	hashes  tlog.HashReader
	entries [][]byte
}

// tiles fetches tiles from a log; spoil, where it is set, alters what came.
type tiles struct {
	log   string
	spoil func(tlog.Tile, []byte)
	seen  int
}

func (t *tiles) Height() int                     { return torchwood.TileHeight }
func (t *tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t *tiles) ReadTiles(wanted []tlog.Tile) (data [][]byte, err error) {
	for _, tile := range wanted {
		bytes := get(t.log, "/"+torchwood.TilePath(tile))
		if t.spoil != nil {
			t.spoil(tile, bytes)
		}
		t.seen++
		data = append(data, bytes)
	}
	return data, nil
}

func newTree(log string, checkpoint torchwood.Checkpoint) *tree {
	t := &tree{log: log, head: checkpoint.Tree}
	t.hashes = tlog.TileHashReader(t.head, &tiles{log: log})
	for at := int64(0); at < t.head.N; at += torchwood.TileWidth {
		width := min(t.head.N-at, torchwood.TileWidth)
		bundle := get(log, "/"+torchwood.TilePath(tlog.Tile{H: torchwood.TileHeight, L: -1, N: at / torchwood.TileWidth, W: int(width)}))
		for range width {
			entry, rest, err := torchwood.ReadTileEntry(bundle)
			t.entries = append(t.entries, must(entry, err))
			bundle = rest
		}
		if len(bundle) != 0 {
			fail("%d bytes follow the last entry of a bundle", len(bundle))
		}
	}
	return t
}

// inclusion and consistency are what the log answers for a proof.
type inclusion struct {
	Index int64    `json:"index"`
	Size  int64    `json:"size"`
	Leaf  string   `json:"leaf"`
	Path  []string `json:"path"`
}

type consistency struct {
	Old     int64    `json:"old"`
	New     int64    `json:"new"`
	OldRoot string   `json:"old_root"`
	Path    []string `json:"path"`
}

// checkRecords checks each entry against the tiles, and the proof that the log makes of it; no other entry fits that proof.
func (t *tree) checkRecords() {
	for at, entry := range t.entries {
		index, leaf := int64(at), tlog.RecordHash(entry)
		built := must(tlog.ProveRecord(t.head.N, index, t.hashes))
		must(0, tlog.CheckRecord(built, t.head.N, t.head.Hash, index, leaf))
		var answer inclusion
		ask(t.log, fmt.Sprintf("/v1/proofs/inclusion?index=%d&size=%d", index, t.head.N), &answer)
		proof := tlog.RecordProof(hashes(answer.Path))
		must(0, tlog.CheckRecord(proof, t.head.N, t.head.Hash, index, leaf))
		if answer.Leaf != hex.EncodeToString(leaf[:]) {
			fail("leaf %d is %s", index, answer.Leaf)
		}
		refuse := func(what string, err error) {
			if err == nil {
				fail("the proof of entry %d is as good for %s", index, what)
			}
		}
		refuse("another entry", tlog.CheckRecord(proof, t.head.N, t.head.Hash, index, tlog.RecordHash(append(bytes.Clone(entry), 0))))
		refuse("another place", tlog.CheckRecord(proof, t.head.N, t.head.Hash, (index+1)%t.head.N, leaf))
		for level := range proof {
			spoilt := append(tlog.RecordProof{}, proof...)
			spoilt[level][index%32] ^= 1
			refuse("another path", tlog.CheckRecord(spoilt, t.head.N, t.head.Hash, index, leaf))
		}
	}
	fmt.Printf("records    %d entries of the bundles are those of the tiles; a proof of each, spoilt in every hash, is refused\n", len(t.entries))
}

// checkTrees checks that the tree continues each smaller one.
func (t *tree) checkTrees() {
	checked := 0
	for old := int64(1); old <= t.head.N; old++ {
		var answer consistency
		ask(t.log, fmt.Sprintf("/v1/proofs/consistency?old=%d&new=%d", old, t.head.N), &answer)
		root := must(tlog.TreeHash(old, t.hashes))
		if answer.OldRoot != hex.EncodeToString(root[:]) {
			fail("the root at %d is %s", old, answer.OldRoot)
		}
		proof := tlog.TreeProof(hashes(answer.Path))
		must(0, tlog.CheckTree(proof, t.head.N, t.head.Hash, old, root))
		for level := range proof {
			spoilt := append(tlog.TreeProof{}, proof...)
			spoilt[level][0] ^= 1
			if tlog.CheckTree(spoilt, t.head.N, t.head.Hash, old, root) == nil {
				fail("another path proves that size %d goes on from %d", t.head.N, old)
			}
		}
		checked++
	}
	fmt.Printf("trees      size %d continues each of %d sizes; every spoilt proof is refused\n", t.head.N, checked)
}

// refuseTiles spoils a byte of each tile as it comes: the reader must find it out by the root hash.
func (t *tree) refuseTiles() {
	spoilt := &tiles{log: t.log, spoil: func(tile tlog.Tile, data []byte) { data[len(data)/2] ^= 1 }}
	for index := int64(0); index < t.head.N; index++ {
		if _, err := tlog.ProveRecord(t.head.N, index, tlog.TileHashReader(t.head, spoilt)); err == nil && t.head.N > 1 {
			fail("a proof of entry %d is made from spoilt tiles", index)
		}
	}
	fmt.Printf("tiles      %d spoilt ones refused\n", spoilt.seen)
}

func hashes(texts []string) []tlog.Hash {
	found := make([]tlog.Hash, len(texts))
	for at, text := range texts {
		bytes := must(hex.DecodeString(text))
		if len(bytes) != tlog.HashSize {
			fail("%q is no hash", text)
		}
		copy(found[at][:], bytes)
	}
	return found
}

func get(log, path string) []byte {
	request := must(http.NewRequestWithContext(context.Background(), http.MethodGet, log+path, nil))
	answer := must(http.DefaultClient.Do(request))
	defer answer.Body.Close()
	body := must(io.ReadAll(answer.Body))
	if answer.StatusCode != http.StatusOK {
		fail("%s: %s: %s", path, answer.Status, body)
	}
	return body
}

func ask(log, path string, into any) {
	must(0, json.Unmarshal(get(log, path), into))
}
