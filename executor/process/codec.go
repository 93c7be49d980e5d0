package process

import (
	"encoding"
	"encoding/binary"
	"encoding/json"
	"errors"
)

// encode is how an input, an output or a progress value travels: a []byte as it
// is, what marshals itself to binary as it does, everything else as JSON.
func encode(v any) ([]byte, error) {
	switch v := v.(type) {
	case []byte:
		return v, nil
	case encoding.BinaryMarshaler:
		return v.MarshalBinary()
	}
	return json.Marshal(v)
}

// decode undoes encode. A []byte is p itself.
func decode[T any](p []byte) (v T, err error) {
	switch to := any(&v).(type) {
	case *[]byte:
		*to = p
	case encoding.BinaryUnmarshaler:
		err = to.UnmarshalBinary(p)
	default:
		err = json.Unmarshal(p, to)
	}
	return v, err
}

// Blob is bytes with something about them, for inputs and outputs such as a
// picture with its size. It travels without the cost of bytes in JSON:
//
//	4 bytes    length of the JSON, big endian
//	...        Meta, as JSON
//	...        Data, to the end
type Blob[T any] struct {
	Meta T
	Data []byte
}

// MarshalBinary makes the layout above.
func (b Blob[T]) MarshalBinary() ([]byte, error) {
	meta, err := json.Marshal(b.Meta)
	if err != nil {
		return nil, err
	}
	p := make([]byte, 0, 4+len(meta)+len(b.Data))
	p = binary.BigEndian.AppendUint32(p, uint32(len(meta)))
	return append(append(p, meta...), b.Data...), nil
}

// UnmarshalBinary undoes MarshalBinary. Data is a part of p.
func (b *Blob[T]) UnmarshalBinary(p []byte) error {
	if len(p) < 4 || uint64(len(p)-4) < uint64(binary.BigEndian.Uint32(p)) {
		return errors.New("process: a blob that is cut off")
	}
	end := 4 + binary.BigEndian.Uint32(p)
	b.Data = p[end:]
	return json.Unmarshal(p[4:end], &b.Meta)
}
