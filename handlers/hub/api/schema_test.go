package api_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// schema is as much of JSON Schema as the description uses.
type schema struct {
	Ref        string            `json:"$ref"`
	Type       string            `json:"type"`
	Required   []string          `json:"required"`
	Properties map[string]schema `json:"properties"`
	Additional json.RawMessage   `json:"additionalProperties"`
	Items      *schema           `json:"items"`
	Minimum    *float64          `json:"minimum"`
	MinLength  int               `json:"minLength"`
	MinItems   int               `json:"minItems"`
	Enum       []string          `json:"enum"`

	// For people.
	Description     string `json:"description"`
	ContentEncoding string `json:"contentEncoding"`
	Default         any    `json:"default"`
}

type media struct {
	Content map[string]struct {
		Schema schema `json:"schema"`
	} `json:"content"`
}

type operation struct {
	ID         string `json:"operationId"`
	Parameters []struct {
		Name     string `json:"name"`
		In       string `json:"in"`
		Required bool   `json:"required"`
	} `json:"parameters"`
	Security *[]any           `json:"security"`
	Body     *media           `json:"requestBody"`
	Answers  map[string]media `json:"responses"`
}

type document struct {
	OpenAPI string `json:"openapi"`
	Servers []struct {
		URL string `json:"url"`
	} `json:"servers"`
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Schemas   map[string]schema `json:"schemas"`
		Responses map[string]media  `json:"responses"`
	} `json:"components"`
}

// check says what is wrong with a value, or nothing.
func (d *document) check(s schema, value any, at string) error {
	if s.Ref != "" {
		name := strings.TrimPrefix(s.Ref, "#/components/schemas/")
		named, ok := d.Components.Schemas[name]
		if !ok {
			return fmt.Errorf("%s: there is no schema %s", at, s.Ref)
		}
		return d.check(named, value, at)
	}
	switch v := value.(type) {
	case map[string]any:
		if s.Type != "object" && s.Type != "" {
			return fmt.Errorf("%s is an object, not %s", at, s.Type)
		}
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				return fmt.Errorf("%s has no %s", at, name)
			}
		}
		for name, part := range v {
			of, known := s.Properties[name]
			if !known && string(s.Additional) == "false" {
				return fmt.Errorf("%s has a %s, which is not described", at, name)
			}
			if err := d.check(of, part, at+"."+name); known && err != nil {
				return err
			}
		}
	case []any:
		if s.Type != "array" && s.Type != "" || len(v) < s.MinItems {
			return fmt.Errorf("%s is a list of %d, not %s", at, len(v), s.Type)
		}
		for i, part := range v {
			if err := d.check(*s.Items, part, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case string:
		if s.Type != "string" && s.Type != "" || len(v) < s.MinLength || s.Enum != nil && !slices.Contains(s.Enum, v) {
			return fmt.Errorf("%s is %q", at, v)
		}
	case float64:
		if s.Type != "integer" && s.Type != "" || s.Minimum != nil && v < *s.Minimum {
			return fmt.Errorf("%s is %v", at, v)
		}
	case bool:
		if s.Type != "boolean" && s.Type != "" {
			return fmt.Errorf("%s is %v", at, v)
		}
	}
	return nil
}
