// Package memory says how near the process is to its memory limit, and what to go without for that.
package memory
