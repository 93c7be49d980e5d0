//go:build !unix

package nethttp

import (
	"errors"
	"os"
)

// A descriptor cannot be duplicated here, so the extension is not offered.
func withZeroCopy(extensions map[string]any) map[string]any { return extensions }

func duplicate(*os.File) (*os.File, error) { return nil, errors.ErrUnsupported }
