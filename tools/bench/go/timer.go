// SPDX-License-Identifier: MIT

package main

import (
	"sync"
	"time"
)

func timers(b *bench) error {
	n, maxMS := b.arg[0], b.arg[1]
	if maxMS == 0 {
		maxMS = 1
	}
	late := make([]int64, n)
	var wg sync.WaitGroup
	wg.Add(n)
	t0, c0 := now(), cpu()
	for i := 0; i < n; i++ {
		i := i
		go func() {
			us := 1000 + int64(uint32(uint64(i)*2654435761))%int64(maxMS*1000-999)
			due := now() + us*1000
			time.Sleep(time.Duration(us) * time.Microsecond)
			late[i] = now() - due
			wg.Done()
		}()
	}
	wg.Wait()
	b.value = float64(cpu()-c0) / 1e3 / float64(n)
	b.add("wall_ms=%.6g", float64(now()-t0)/1e6)
	b.add("p50_late_ms=%.4g", float64(percentile(late, 50))/1e6)
	b.add("p99_late_ms=%.4g", float64(percentile(late, 99))/1e6)
	b.add("max_late_ms=%.4g", float64(percentile(late, 100))/1e6)
	return nil
}

func sleepchurn(b *bench) error {
	tasks, pause, rounds := b.arg[0], time.Duration(b.arg[1])*time.Microsecond, b.arg[2]
	var wg sync.WaitGroup
	wg.Add(tasks)
	t0, c0 := now(), cpu()
	for i := 0; i < tasks; i++ {
		go func() {
			for i := 0; i < rounds; i++ {
				time.Sleep(pause)
			}
			wg.Done()
		}()
	}
	wg.Wait()
	b.value = float64(cpu()-c0) / (float64(tasks) * float64(rounds))
	b.add("wall_ms=%.6g", float64(now()-t0)/1e6)
	return nil
}

// Go's way to a timer that is started and stopped: AfterFunc once, then Reset and Stop.
func timerstop(b *bench) error {
	n := b.arg[0]
	t := time.AfterFunc(time.Hour, func() {})
	if !t.Stop() {
		return errWrong
	}
	t0 := now()
	for i := 0; i < n; i++ {
		if t.Reset(time.Hour) || !t.Stop() {
			return errWrong
		}
	}
	b.perOp(t0, n)
	t.Reset(time.Hour)
	t0 = now()
	for i := 0; i < n; i++ {
		t.Reset(time.Hour + time.Duration(i))
	}
	reset := float64(now()-t0) / float64(n)
	t.Stop()
	b.add("reset_ns=%.6g", reset)
	return nil
}
