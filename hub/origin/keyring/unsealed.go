package keyring

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sonahub/sne/composite"
	"sonahub/sne/kdf"
	"sonahub/sne/kem"
	"sonahub/sne/keychain"
)

// Before there was a keychain, the secrets lay in files: the seeds of root and
// creator as hex, those of a Bundle or a key set in its JSON file.

// oldSecret is one that lies in such a file.
type oldSecret struct {
	key    keychain.Key
	secret []byte
	path   string
	strip  func() error // takes the secret out of the file
}

type oldSecrets []oldSecret

func (o oldSecrets) erase() {
	for _, s := range o {
		clear(s.secret)
	}
}

func (o oldSecrets) has(k keychain.Key) bool {
	for _, s := range o {
		if s.key == k {
			return true
		}
	}
	return false
}

// unsealed reads all secrets that lie in files; the caller erases them. bare is
// a file without secrets of its own, if there is one.
func (r *Ring) unsealed() (all oldSecrets, bare string, err error) {
	for _, key := range []keychain.Key{rootKey(), creatorKey()} {
		path := filepath.Join(r.dir, key.Name)
		seeds, err := readHex(path, composite.SeedsSize)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		all = append(all, oldSecret{key: key, secret: seeds, path: path, strip: func() error { return keychain.EraseFile(path) }})
	}
	err = r.each(bundlePrefix, func(path string, data []byte) error {
		var f generationFile
		if err := json.Unmarshal(data, &f); err != nil {
			return err
		}
		if f.Online == nil && f.KEM == nil {
			bare = filepath.Base(path)
			return nil
		}
		var seq uint64
		if _, err := fmt.Sscanf(filepath.Base(path), bundleName, &seq); err != nil {
			return err
		}
		strip := func() error {
			f.Online, f.KEM = nil, nil
			return replaceJSON(path, f)
		}
		keys := bundleKeys(seq)
		all = append(all, oldSecret{keys[0], f.Online, path, func() error { return nil }}, oldSecret{keys[1], f.KEM, path, strip})
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	err = r.each(mintPrefix, func(path string, data []byte) error {
		var f mintFile
		if err := json.Unmarshal(data, &f); err != nil {
			return err
		}
		if f.Seed == nil {
			bare = filepath.Base(path)
			return nil
		}
		all = append(all, oldSecret{seedKey(f.IssueUntil), f.Seed, path, func() error {
			f.Seed = nil
			return replaceJSON(path, f)
		}})
		return nil
	})
	return all, bare, err
}

// sweep takes the secrets out of the files that still hold any, once they are
// known to lie in the keychain. A secret that is another one there stays where
// it is, and so does everything else.
func (r *Ring) sweep() error {
	old, _, err := r.unsealed()
	if err != nil {
		return err
	}
	defer old.erase()
	for _, s := range old {
		same, err := r.holds(s)
		if err != nil || !same {
			return fmt.Errorf("keyring: %s holds another key than the keychain, or a damaged one: %w", filepath.Base(s.path), errors.Join(err, errTwoKeys))
		}
	}
	for _, s := range old {
		if err := s.strip(); err != nil {
			return fmt.Errorf("keyring: %w", err)
		}
	}
	return nil
}

var errTwoKeys = errors.New("not touched; take one of them away")

// holds tells whether the keychain has that very secret, by what is public of
// it.
func (r *Ring) holds(s oldSecret) (bool, error) {
	switch s.key.Kind {
	case keychain.KindSigning:
		mine, err := r.chain.Signing(s.key.Name, s.key.Version, s.key.Purpose)
		if err != nil {
			return false, err
		}
		defer mine.Erase()
		theirs, err := composite.NewSecretKey(s.secret)
		if err != nil {
			return false, err
		}
		defer theirs.Erase()
		return mine.Public().KeyID() == theirs.Public().KeyID(), nil
	case keychain.KindKEM:
		mine, err := r.chain.KEM(s.key.Name, s.key.Version)
		if err != nil {
			return false, err
		}
		defer mine.Erase()
		theirs, err := kem.NewSecretKey(s.secret)
		if err != nil {
			return false, err
		}
		defer theirs.Erase()
		return *mine.Public() == *theirs.Public(), nil
	}
	var mine, theirs kdf.Secret
	defer mine.Erase()
	defer theirs.Erase()
	if err := r.chain.Secret(s.key.Name, s.key.Version, &mine); err != nil {
		return false, err
	}
	if copy(theirs[:], s.secret) != len(theirs) || len(s.secret) != len(theirs) {
		return false, errors.New("a seed of a wrong length")
	}
	return mine.Equal(&theirs), nil
}

func readHex(path string, size int) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	defer clear(text)
	out := make([]byte, size)
	if len(text) < 2*size {
		return nil, fmt.Errorf("keyring: key file %s is damaged", filepath.Base(path))
	}
	if _, err := hex.Decode(out, text[:2*size]); err != nil {
		clear(out)
		return nil, fmt.Errorf("keyring: key file %s is damaged", filepath.Base(path))
	}
	return out, nil
}

func replaceJSON(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	return keychain.ReplaceFile(path, data)
}
