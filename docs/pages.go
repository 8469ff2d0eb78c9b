// Package docs holds the pages of the documentation that a command prints.
package docs

import "embed"

// Conditions has the pages with the tables of conditions and their reasons.
//
//go:embed conditions.md prometheus.md warmpool.md peaks.md
var Conditions embed.FS

// Alerts has the page with the runbooks.
//
//go:embed alerts.md
var Alerts embed.FS
