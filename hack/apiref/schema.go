package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// schema is the part of a field's schema that the page shows.
type schema struct {
	Type        string            `json:"type"`
	Description string            `json:"description"`
	Properties  map[string]schema `json:"properties"`
	Required    []string          `json:"required"`
	Items       *schema           `json:"items"`
	Values      json.RawMessage   `json:"additionalProperties"`
	Default     json.RawMessage   `json:"default"`
	Enum        []any             `json:"enum"`
	Pattern     string            `json:"pattern"`
	Format      string            `json:"format"`
	Minimum     *float64          `json:"minimum"`
	Maximum     *float64          `json:"maximum"`
	MaxItems    *int64            `json:"maxItems"`
	MinItems    *int64            `json:"minItems"`
	MaxLength   *int64            `json:"maxLength"`
	IntOrString bool              `json:"x-kubernetes-int-or-string"`
	Rules       []struct {
		Message string `json:"message"`
	} `json:"x-kubernetes-validations"`
}

// columns is where text ends.
const columns = 100

func writeKind(page *bytes.Buffer, c crd) {
	version := c.Spec.Versions[0]
	root, names := version.Schema.OpenAPIV3Schema, c.Spec.Names
	fmt.Fprintf(page, "\n## %s\n%s\n\n", names.Kind, wrap(root.Description))
	scope := "in a namespace"
	if c.Spec.Scope == "Cluster" {
		scope = "for the whole cluster"
	}
	fmt.Fprintf(page, "`%s/%s`, %s. `kubectl get %s`", c.Spec.Group, version.Name, scope, names.Plural)
	for _, short := range names.ShortNames {
		fmt.Fprintf(page, ", `%s`", short)
	}
	page.WriteString(".\n")
	writeRules(page, root)
	for _, part := range []string{"spec", "status"} {
		fmt.Fprintf(page, "\n### %s of a %s\n", part, names.Kind)
		writeRules(page, root.Properties[part])
		page.WriteString("\n| field | type | meaning |\n| --- | --- | --- |\n")
		writeFields(page, "", root.Properties[part])
	}
}

// writeRules writes the rules about several fields of an object.
func writeRules(page *bytes.Buffer, s schema) {
	for i, r := range s.Rules {
		if i == 0 {
			page.WriteString("\n")
		}
		fmt.Fprintln(page, wrap("- "+sentence(r.Message)))
	}
}

// writeFields writes a row for each field of an object, and below it those of the field.
func writeFields(page *bytes.Buffer, path string, s schema) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		field := s.Properties[name]
		label := "`" + path + name + "`"
		if slices.Contains(s.Required, name) {
			label += " *"
		}
		fmt.Fprintf(page, "| %s | %s | %s |\n", label, typeOf(field), cell(meaning(name, field)))
		switch {
		case field.Items != nil && len(field.Items.Properties) > 0 && !standard(*field.Items):
			writeFields(page, path+name+"[].", *field.Items)
		case len(field.Properties) > 0:
			writeFields(page, path+name+".", field)
		}
	}
}

// standard reports whether the schema is that of a Condition, which is Kubernetes' own.
func standard(s schema) bool {
	_, hasReason := s.Properties["reason"]
	_, hasTransition := s.Properties["lastTransitionTime"]
	return hasReason && hasTransition
}

func typeOf(s schema) string {
	switch {
	case s.IntOrString:
		return "quantity"
	case s.Items != nil && standard(*s.Items):
		return "list of Conditions"
	case s.Items != nil:
		return "list of " + typeOf(*s.Items) + "s"
	case len(s.Values) > 0:
		return "map"
	case s.Format == "date-time":
		return "time"
	case s.Type == "integer":
		return "whole number"
	}
	return s.Type
}

// meaning is the field's comment, its limits and its default.
func meaning(name string, s schema) string {
	parts := []string{strings.TrimPrefix(strings.Join(strings.Fields(s.Description), " "), name+" ")}
	limits := s
	if s.Items != nil {
		limits = *s.Items
		if s.MaxItems != nil {
			parts = append(parts, fmt.Sprintf("At most %d entries.", *s.MaxItems))
		}
	}
	if len(limits.Enum) > 0 {
		parts = append(parts, "One of "+code(limits.Enum)+".")
	}
	switch {
	case limits.Minimum != nil && limits.Maximum != nil:
		parts = append(parts, fmt.Sprintf("From %v to %v.", *limits.Minimum, *limits.Maximum))
	case limits.Minimum != nil:
		parts = append(parts, fmt.Sprintf("At least %v.", *limits.Minimum))
	case limits.Maximum != nil:
		parts = append(parts, fmt.Sprintf("At most %v.", *limits.Maximum))
	}
	if limits.MaxLength != nil {
		each := map[bool]string{true: "Each has at", false: "At"}[s.Items != nil]
		parts = append(parts, fmt.Sprintf("%s most %d characters.", each, *limits.MaxLength))
	}
	for _, r := range s.Rules {
		parts = append(parts, sentence(r.Message))
	}
	if len(s.Default) > 0 {
		parts = append(parts, "Default: `"+strings.Trim(string(s.Default), `"`)+"`.")
	}
	return strings.Join(parts, " ")
}

func code(values []any) string {
	var words []string
	for _, v := range values {
		words = append(words, fmt.Sprintf("`%v`", v))
	}
	return strings.Join(words, ", ")
}

// sentence ends a message with a full stop.
func sentence(text string) string {
	return strings.TrimSuffix(text, ".") + "."
}

// cell makes text fit into a cell of a table.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "<", "&lt;", "\n", " ").Replace(text)
}

// wrap breaks text into lines, those after the first of a list item indented.
func wrap(text string) string {
	indent := ""
	if strings.HasPrefix(text, "- ") {
		indent = "  "
	}
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case len([]rune(line))+1+len([]rune(word)) > columns:
			lines, line = append(lines, line), indent+word
		default:
			line += " " + word
		}
	}
	return strings.Join(append(lines, line), "\n")
}
