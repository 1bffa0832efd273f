// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"os"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

var (
	errWrong  = errors.New("wrong result")
	errCannot = errors.New("cannot be run here")
)

var start = time.Now()

func now() int64 { return int64(time.Since(start)) }

// ns of CPU time of the whole process
func cpu() int64 {
	var ts syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, 2, uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano()
}

// bytes resident now
func rss() int64 {
	text, _ := os.ReadFile("/proc/self/statm")
	f := strings.Fields(string(text))
	pages, _ := strconv.ParseInt(f[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// bytes resident at most so far
func maxRSS() int64 {
	var ru syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &ru)
	return ru.Maxrss * 1024
}

func mappings() int {
	text, _ := os.ReadFile("/proc/self/maps")
	return strings.Count(string(text), "\n")
}

// Sorts v and returns its p-th percentile.
func percentile(v []int64, p float64) int64 {
	if len(v) == 0 {
		return 0
	}
	sort.Slice(v, func(i, j int) bool { return v[i] < v[j] })
	at := int(float64(len(v)) * p / 100)
	if at >= len(v) {
		at = len(v) - 1
	}
	return v[at]
}

func (b *bench) perOp(t0 int64, n int) {
	b.value = float64(now()-t0) / float64(n)
}

func (b *bench) report(ns []int64, unit float64) {
	b.value = float64(percentile(ns, 50)) / unit
	b.add("p99=%.6g", float64(percentile(ns, 99))/unit)
	b.add("max=%.6g", float64(percentile(ns, 100))/unit)
}
