// SPDX-License-Identifier: MIT

package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const batches = 50

// In batches, with and without by turns, as ours.
func sysret(b *bench) error {
	n := b.arg[0] / batches
	var with, without []int64
	for i := 0; i < batches; i++ {
		t0 := now()
		for i := 0; i < n; i++ {
			syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0)
		}
		t1 := now()
		for i := 0; i < n; i++ {
			syscall.Syscall(syscall.SYS_GETPPID, 0, 0, 0)
		}
		without, with = append(without, t1-t0), append(with, now()-t1)
	}
	bare := percentile(without, 50)
	b.value = float64(percentile(with, 50)-bare) / float64(n)
	b.add("bare_ns=%.6g", float64(bare)/float64(n))
	return nil
}

var sink uint64

// Units of work of the CPU tasks in ns, and calls of the blockers beside them.
func workBeside(b *bench, blockers int, pause syscall.Timespec, ns int64) (work, calls int64) {
	var wg sync.WaitGroup
	wg.Add(b.procs + blockers)
	end := now() + ns
	for i := 0; i < blockers; i++ {
		go func() {
			var n int64
			for now() < end {
				syscall.Nanosleep(&pause, nil)
				n++
			}
			atomic.AddInt64(&calls, n)
			wg.Done()
		}()
	}
	for i := 0; i < b.procs; i++ {
		go func() {
			var units int64
			x := uint64(1)
			for ok := true; ok; ok = now() < end {
				for i := 0; i < 5000; i++ {
					x = x*6364136223846793005 + 1
				}
				units++
			}
			atomic.AddUint64(&sink, x)
			atomic.AddInt64(&work, units)
			wg.Done()
		}()
	}
	wg.Wait()
	return
}

func blocksys(b *bench) error {
	ns := int64(b.arg[2]) * 1e9
	pause := syscall.NsecToTimespec(int64(b.arg[1]) * 1000)
	b.add("mode=declared")
	alone, _ := workBeside(b, 0, pause, ns/2)
	beside, calls := workBeside(b, b.arg[0], pause, ns)
	b.value = 100 * float64(beside) / float64(2*alone)
	b.add("calls_per_s=%.6g", float64(calls)/float64(b.arg[2]))
	b.add("of=%.6g", float64(b.arg[0])*1e6/float64(b.arg[1]))
	return nil
}

// The other goroutine of handoff and fault: notes when it ran, writes a byte to fd (if any).
type other struct {
	goon, done chan uint64
	ran        int64
}

func newOther(fd int) *other {
	h := &other{goon: make(chan uint64, 1), done: make(chan uint64, 1)}
	go func() {
		for v := range h.goon {
			h.ran = now()
			if fd >= 0 {
				syscall.Write(fd, []byte{0})
			}
			h.done <- v
		}
	}()
	runtime.Gosched()
	return h
}

func handoff(b *bench) error {
	var p [2]int
	if err := syscall.Pipe(p[:]); err != nil {
		return err
	}
	b.add("mode=declared")
	h := newOther(p[1])
	ns := make([]int64, b.arg[0])
	buf := make([]byte, 1)
	for i := range ns {
		h.goon <- 0
		t0 := now()
		if n, err := syscall.Read(p[0], buf); n != 1 {
			return err
		}
		<-h.done
		ns[i] = h.ran - t0
	}
	close(h.goon)
	b.report(ns, 1e3)
	return nil
}

const (
	faults = 10
	page   = 4096
)

// The file of `gmpbench slowfile MS`; that program lies beside this one. It dies with us.
func slowFile(ms int) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(filepath.Join(filepath.Dir(self), "gmpbench"), "slowfile", strconv.Itoa(ms))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	runtime.LockOSThread() // the death of this thread would be the parent's
	if err = cmd.Start(); err != nil {
		return "", err
	}
	text, err := io.ReadAll(out)
	if err != nil || len(text) == 0 {
		return "", errCannot
	}
	runtime.UnlockOSThread()
	return strings.TrimSpace(string(text)), nil
}

func mapFile(path string) ([]byte, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	var st syscall.Stat_t
	if err = syscall.Fstat(fd, &st); err != nil {
		return nil, err
	}
	mem, err := syscall.Mmap(fd, 0, int(st.Size), syscall.PROT_READ, syscall.MAP_PRIVATE)
	if err == nil {
		err = syscall.Madvise(mem, syscall.MADV_RANDOM)
	}
	return mem, err
}

func fault(b *bench) error {
	var err error
	b.add("mode=declared")
	if b.text == "" {
		if b.text, err = slowFile(b.arg[0]); err != nil {
			return err
		}
	}
	mem, err := mapFile(b.text)
	if err != nil {
		return err
	}
	h := newOther(-1)
	var ns []int64
	for at := 0; at < len(mem) && at < faults*page; at += page {
		h.goon <- 0
		t0 := now()
		sink += uint64(mem[at])
		<-h.done
		ns = append(ns, h.ran-t0)
	}
	close(h.goon)
	b.report(ns, 1e6)
	return nil
}

func preempt(b *bench) error {
	const tick = int64(time.Millisecond)
	var stop int32
	var wg sync.WaitGroup
	var late []int64
	wg.Add(b.procs)
	for i := 0; i < b.procs; i++ {
		go func() {
			x := uint64(1)
			for atomic.LoadInt32(&stop) == 0 {
				for i := 0; i < 200000; i++ {
					x = x*6364136223846793005 + 1
				}
			}
			atomic.AddUint64(&sink, x)
			wg.Done()
		}()
	}
	for end := now() + int64(b.arg[0])*1e9; now() < end; {
		due := now() + tick
		time.Sleep(time.Duration(tick))
		late = append(late, now()-due)
	}
	atomic.StoreInt32(&stop, 1)
	wg.Wait()
	n := len(late)
	b.report(late, 1e3)
	b.add("ticks=%d", n)
	return nil
}
