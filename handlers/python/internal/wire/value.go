package wire

import "fmt"

// maxDepth bounds values within values.
const maxDepth = 16

// Tuple is appended as a tuple; a []any is a list.
type Tuple []any

// AppendValue appends a value: nil, a bool, int, int64, float64, string, []byte, []string,
// []any, [Tuple], map[string]any or map[string]string. Another type panics.
func AppendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return AppendNone(dst)
	case bool:
		return AppendBool(dst, v)
	case int:
		return AppendInt(dst, int64(v))
	case int64:
		return AppendInt(dst, v)
	case float64:
		return AppendFloat(dst, v)
	case string:
		return AppendText(dst, v)
	case []byte:
		return AppendBytes(dst, v)
	case []string:
		return appendAll(AppendList(dst, len(v)), v)
	case []any:
		return appendAll(AppendList(dst, len(v)), v)
	case Tuple:
		return appendAll(AppendTuple(dst, len(v)), v)
	case map[string]any:
		return appendPairs(dst, v)
	case map[string]string:
		return appendPairs(dst, v)
	}
	panic(fmt.Sprintf("wire: AppendValue of a %T", v))
}

func appendAll[T any](dst []byte, list []T) []byte {
	for _, v := range list {
		dst = AppendValue(dst, v)
	}
	return dst
}

func appendPairs[T any](dst []byte, dict map[string]T) []byte {
	dst = AppendDict(dst)
	for key, v := range dict {
		dst = AppendValue(AppendText(dst, key), v)
	}
	return AppendEnd(dst)
}

// Value reads a value of any type: nil, a bool, int64, float64, string, []byte, []any (of a
// list or a tuple) or map[string]any. What it returns does not lie in the message, and
// takes at most some forty times as much memory as it does there.
func (r *Reader) Value() any { return r.value(0) }

func (r *Reader) value(depth int) any {
	if depth > maxDepth {
		r.fail(errDepth)
		return nil
	}
	switch code := r.peek(); code {
	case codeNone:
		r.code()
		return nil
	case codeTrue, codeFalse:
		return r.Bool()
	case codeInt, codeLong:
		return r.Int()
	case codeFloat:
		return r.Float()
	case codeBytes:
		return append([]byte{}, r.Bytes()...)
	case codeList, codeTuple, codeSmallTuple:
		list := []any{}
		for range r.Items() {
			if list = append(list, r.value(depth+1)); r.err != nil {
				return nil
			}
		}
		return list
	case codeDict:
		r.Dict()
		dict := map[string]any{}
		for !r.End() {
			key := string(r.Text())
			dict[key] = r.value(depth + 1)
		}
		return dict
	}
	return string(r.Text())
}
