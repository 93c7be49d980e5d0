//go:build !unix

package engine

import (
	"errors"
	"os"
)

// CanDuplicate reports whether Duplicate works on this system.
const CanDuplicate = false

// Duplicate fails here.
func Duplicate(*os.File) (*os.File, error) { return nil, errors.ErrUnsupported }
