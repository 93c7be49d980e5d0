//go:build !linux

package engine

import (
	"errors"
	"os"
)

// Reopen fails here.
func Reopen(*os.File) (*os.File, error) { return nil, errors.ErrUnsupported }
