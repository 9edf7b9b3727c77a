package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"sonahub/sne/exhibit"
	"sonahub/sne/wire"
)

// verifyExhibit judges one file against a KeyID. It prints the verdict and
// ends without an error only if the fault is proved.
func verifyExhibit(words []string, accused string, out io.Writer) error {
	if len(words) != 1 || accused == "" {
		return errors.New("usage: sonahub ctl verify-exhibit FILE --accused KEYID")
	}
	id, err := wire.ParseID(accused)
	if err != nil {
		return fmt.Errorf("%q is no KeyID: 52 letters and digits, as in a sne:// URL", accused)
	}
	raw, err := readExhibit(words[0])
	if err != nil {
		return err
	}
	v, err := exhibit.Verify(raw, id)
	if err != nil {
		return fmt.Errorf("%s proves nothing against %s: %w", words[0], accused, err)
	}
	_, err = fmt.Fprintln(out, v)
	return err
}

// readExhibit reads a file of at most exhibit.MaxSize bytes.
func readExhibit(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	return io.ReadAll(io.LimitReader(f, exhibit.MaxSize+1))
}
