package keychain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"sonahub/sne/kdf"
)

// ErrErase wraps the reason why the material of an old lock could not be erased
// yet. The new lock is in force all the same; Finish tries again.
var ErrErase = errors.New("keychain: the old lock's material is not erased yet")

// Rekey locks the file with a new key-encryption key: next may be a Lock of
// another kind, or the same Lock again for a fresh key of its kind. Then it
// erases what the old lock left (see ErrErase).
//
// The order makes every crash harmless: the new lock's material is made, the
// file is replaced and names the old lock as retired, the old material is
// erased, the file forgets it.
func (k *Keychain) Rekey(ctx context.Context, next Lock) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return ErrClosed
	}
	if len(k.retired) >= maxRetired {
		return ErrPending
	}
	var kek kdf.Secret
	defer kek.Erase()
	params, err := next.Make(ctx, &kek)
	if err != nil {
		return err
	}
	k.disk.mark("lock made")
	old := retired{lock: k.box.lock, params: k.box.params}
	after := append(slices.Clone(k.retired), old)
	if err := k.save(header{lock: next.Kind(), params: params}, &kek, contents{entries: k.entries, retired: after}); err != nil {
		return err
	}
	former := k.lock
	k.kek, k.lock, k.retired = kek, next, after
	k.disk.mark("rekeyed")
	return k.finish(ctx, next, former)
}

// Pending tells how many old locks still wait to be erased.
func (k *Keychain) Pending() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.retired)
}

// Finish erases what old locks left, where a crash or an unreachable machine
// kept Rekey from it. The keychain's own lock is tried first, then those given;
// what none of them can erase stays pending. It gives ErrErase with the reason.
func (k *Keychain) Finish(ctx context.Context, former ...Lock) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return ErrClosed
	}
	return k.finish(ctx, append([]Lock{k.lock}, former...)...)
}

func (k *Keychain) finish(ctx context.Context, locks ...Lock) error {
	var left []retired
	var errs []error
	for _, r := range k.retired {
		if err := k.retire(ctx, r, locks); err != nil {
			left = append(left, r)
			errs = append(errs, err)
		}
	}
	if len(left) < len(k.retired) {
		k.disk.mark("retired")
		if err := k.save(k.box, &k.kek, contents{entries: k.entries, retired: left}); err != nil {
			return err
		}
		k.retired = left
	}
	if len(errs) > 0 {
		return fmt.Errorf("%w: %w", ErrErase, errors.Join(errs...))
	}
	return nil
}

func (k *Keychain) retire(ctx context.Context, r retired, locks []Lock) error {
	if r.lock == k.box.lock && bytes.Equal(r.params, k.box.params) {
		return nil // the lock in force is never erased, whatever the list says
	}
	var errs []error
	for _, l := range locks {
		if l.Kind() != r.lock {
			continue
		}
		err := l.Erase(ctx, r.params)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	if errs == nil {
		return fmt.Errorf("no %v was offered", r.lock)
	}
	return errors.Join(errs...)
}
