// SPDX-License-Identifier: MIT

// gobench: gmpbench's workloads in Go; the same arguments, the same line, "go1.x" as its first word.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
)

// What a workload gets and leaves: see bench.h.
type bench struct {
	procs int
	arg   [3]int
	text  string
	value float64
	more  string
}

func (b *bench) add(format string, v ...interface{}) {
	b.more += " " + fmt.Sprintf(format, v...)
}

type workload struct {
	def  [3]int
	fn   func(b *bench) error
	unit string
}

var workloads = map[string]workload{
	"yield":      {[3]int{10000000}, yield, "ns"},
	"yieldmany":  {[3]int{10000, 100}, yieldmany, "ns"},
	"chanpp":     {[3]int{2000000}, chanpp, "ns"},
	"pingpairs":  {[3]int{100, 20000}, pingpairs, "ns"},
	"spawn":      {[3]int{1000000}, spawn, "ns"},
	"spawnjoin":  {[3]int{2000000}, spawnjoin, "ns"},
	"skynet":     {[3]int{1000000}, skynet, "ms"},
	"park":       {[3]int{100000}, park, "bytes"},
	"prodcons":   {[3]int{1, 1, 4000000}, prodcons, "ns"},
	"mutex":      {[3]int{8, 1000000}, mutex, "ns"},
	"fib":        {[3]int{25}, fibonacci, "ms"},
	"select4":    {[3]int{1000000}, select4, "ns"},
	"selectdef":  {[3]int{20000000}, selectdef, "ns"},
	"timers":     {[3]int{1000000, 1000}, timers, "us"},
	"sleepchurn": {[3]int{1000, 1000, 1000}, sleepchurn, "ns"},
	"timerstop":  {[3]int{5000000}, timerstop, "ns"},
	"sysret":     {[3]int{5000000}, sysret, "ns"},
	"blocksys":   {[3]int{8, 1000, 2}, blocksys, "percent"},
	"handoff":    {[3]int{500}, handoff, "us"},
	"fault":      {[3]int{50}, fault, "ms"},
	"preempt":    {[3]int{2}, preempt, "us"},
	"echo":       {[3]int{0}, echo, "us"},
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: gobench WORKLOAD PROCS [ARG...]")
	os.Exit(2)
}

func (b *bench) readArgs(args []string) {
	for i, a := range args {
		v, err := strconv.Atoi(a)
		switch {
		case err != nil && i == len(args)-1:
			b.text = a
		case err != nil || i >= len(b.arg):
			usage()
		default:
			b.arg[i] = v
		}
	}
}

func main() {
	if len(os.Args) < 3 {
		usage()
	}
	w, ok := workloads[os.Args[1]]
	procs, err := strconv.Atoi(os.Args[2])
	if !ok || err != nil || procs < 1 {
		usage()
	}
	b := &bench{procs: procs, arg: w.def}
	b.readArgs(os.Args[3:])
	runtime.GOMAXPROCS(procs)
	t0, c0 := now(), cpu()
	if err := w.fn(b); err != nil {
		fmt.Fprintf(os.Stderr, "gobench %s: %v\n", os.Args[1], err)
		if err == errCannot {
			os.Exit(4)
		}
		os.Exit(1)
	}
	b.add("cpu=%.3f", float64(cpu()-c0)/float64(now()-t0))
	fmt.Printf("%s %s procs=%d %.6g %s%s\n", runtime.Version(), os.Args[1], procs, b.value, w.unit, b.more)
}
