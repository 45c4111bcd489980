/* Threads that wait for one another; included by _native.c. */

#include <limits.h>
#include <omp.h>
#include <sched.h>
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* Where threads wait for one another, some 300 times a step. OpenMP's own barriers spin for milliseconds: as soon
 * as another program wants a core, every one of them costs a time slice, and a step takes forty times as long as
 * it should. Here a thread spins briefly and then sleeps, and spins less the more often that was in vain. */
typedef struct {
    int arrived, round, asleep;
} Barrier;

typedef struct {
    Barrier *barrier;
    int threads, patience;
} Team;

enum { PATIENCE_MOST = 4000, PATIENCE_LEAST = 50 };

static void meet(Team *team) {
    Barrier *b = team->barrier;
    if (team->threads == 1) return;
    int round = __atomic_load_n(&b->round, __ATOMIC_SEQ_CST);
    if (__atomic_add_fetch(&b->arrived, 1, __ATOMIC_SEQ_CST) == team->threads) {
        __atomic_store_n(&b->arrived, 0, __ATOMIC_SEQ_CST);
        __atomic_store_n(&b->round, round + 1, __ATOMIC_SEQ_CST);
#if defined(__linux__)
        /* Whoever is counted asleep only later finds the new round before it sleeps. */
        if (__atomic_load_n(&b->asleep, __ATOMIC_SEQ_CST))
            syscall(SYS_futex, &b->round, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
#endif
        return;
    }
    for (int i = 0; i < team->patience; i++) {
        if (__atomic_load_n(&b->round, __ATOMIC_ACQUIRE) != round) {
            if (team->patience < PATIENCE_MOST) team->patience += 20;
            return;
        }
        _mm_pause();
    }
    team->patience = team->patience / 2 > PATIENCE_LEAST ? team->patience / 2 : PATIENCE_LEAST;
    __atomic_add_fetch(&b->asleep, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&b->round, __ATOMIC_SEQ_CST) == round) {
#if defined(__linux__)
        syscall(SYS_futex, &b->round, FUTEX_WAIT_PRIVATE, round, NULL, NULL, 0);
#else
        sched_yield();
#endif
    }
    __atomic_sub_fetch(&b->asleep, 1, __ATOMIC_SEQ_CST);
}
