"""Compiled core of the gates: the rules, the look-ahead limiter and the amplitude's ramp, one call a step.

Layouts (see ``bmi.limits`` and ``bmi.gate``, which allocate them)
    limits : (4 + n,)  speed, acceleration, jerk, longest hold; then the half widths of the workspace
    motion : (2, n)    commanded velocity, acceleration it was reached with
    work   : (6, n)    desired, position, measured velocity, out, and two rows of scratch
Of the stimulus gate (see ``bmi.stimulus_gate``): limits (5,), ceiling mA, ramp and fall mA/s, longest hold s, whether
charge sets the ceiling; work (6, 1), ``position`` being the amplitude applied.
"""

from __future__ import annotations

import math

from numba import njit

SPEED, ACCELERATION, JERK, HOLD, WALLS = 0, 1, 2, 3, 4
DESIRED, POSITION, MEASURED, OUT, BRAKE, WISH = 0, 1, 2, 3, 4, 5
BISECTIONS = 40
HUGE = 1.7e308
REST = 1e-12  # mm/s: closer to rest than any limit can tell

FLAG_SPEED, FLAG_ACCELERATION, FLAG_JERK, FLAG_WORKSPACE = 32, 64, 128, 256


@njit(cache=True, nogil=True, error_model="numpy")
def approach(gap, dt, jerk):  # type: ignore[no-untyped-def]
    """Largest acceleration for the coming ``dt`` that can be brought to zero before ``gap`` is used up."""
    if gap == 0.0:
        return 0.0
    return 2.0 * gap / (dt + math.sqrt(dt * dt + 2.0 * abs(gap) / jerk))


@njit(cache=True, nogil=True, error_model="numpy")
def travel(v, a, limits):  # type: ignore[no-untyped-def]
    """Farthest way in positive direction until rest: hardest braking, every command held longest."""
    a_max, jerk, hold = limits[ACCELERATION], limits[JERK], limits[HOLD]
    peak = v + 0.5 * a * abs(a) / jerk
    if peak <= 0.0:
        return 0.0 if v <= 0.0 else v * (hold + math.sqrt(2.0 * v / jerk) / 3.0)
    way = 0.0
    slope = 0.0
    if a >= 0.0:  # still speeding up: first lose the acceleration
        if v > 0.0:
            tau = a / jerk
            way = v * tau + jerk * tau**3 / 3.0
        else:
            way = peak * math.sqrt(2.0 * peak / jerk) * 2.0 / 3.0
    else:
        peak, slope = v, -a
    steepest = math.sqrt(jerk * peak + 0.5 * slope * slope)
    if steepest > a_max:
        steepest = a_max
    t1 = (steepest - slope) / jerk
    way += t1 * (peak - t1 * (0.5 * slope + jerk * t1 / 6.0))
    left = peak - t1 * (slope + 0.5 * jerk * t1)
    last = 0.5 * steepest * steepest / jerk
    if left > last:  # a stretch at full deceleration
        way += 0.5 * (left * left - last * last) / steepest
    t3 = steepest / jerk
    return way + jerk * t3**3 / 6.0 + hold * peak


@njit(cache=True, nogil=True, error_model="numpy")
def length(x):  # type: ignore[no-untyped-def]
    """Euclidean norm, also of numbers whose square overflows."""
    largest = 0.0
    for value in x:
        largest = max(largest, abs(value))
    if largest == 0.0:
        return 0.0
    total = 0.0
    for value in x:
        total += (value / largest) ** 2
    return min(largest * math.sqrt(total), HUGE)


@njit(cache=True, nogil=True, error_model="numpy")
def reserve(v, a, jerk):  # type: ignore[no-untyped-def]
    """Largest speed an axis will reach while its acceleration is brought to zero."""
    rising = max(a, 0.0)
    falling = min(a, 0.0)
    return max(v + 0.5 * rising * rising / jerk, -v + 0.5 * falling * falling / jerk)


@njit(cache=True, nogil=True, error_model="numpy")
def within_speed(share, dt, limits, motion, work):  # type: ignore[no-untyped-def]
    """Whether the step ``share`` of the way from braking to the wish keeps the speed bound reachable."""
    total = 0.0
    for i in range(work.shape[1]):
        a = work[BRAKE, i] + share * (work[WISH, i] - work[BRAKE, i])
        total += reserve(motion[0, i] + a * dt, a, limits[JERK]) ** 2
    return total <= limits[SPEED] * limits[SPEED]


@njit(cache=True, nogil=True, error_model="numpy")
def limit_axis(i, goal, dt, limits, motion, work):  # type: ignore[no-untyped-def]
    """Fill BRAKE and WISH accelerations of one axis; the wish keeps inside the walls."""
    a_max, jerk = limits[ACCELERATION], limits[JERK]
    v, a = motion[0, i], motion[1, i]
    low, high = max(a - jerk * dt, -a_max), min(a + jerk * dt, a_max)
    brake = min(max(approach(-v, dt, jerk), low), high)
    free = approach(goal - v, dt, jerk)
    wish = min(max(free, low), high)
    flags = 0
    if wish != free:
        flags = FLAG_ACCELERATION if abs(wish) >= a_max else FLAG_JERK
    side = 1.0 if wish > brake else -1.0
    room = max(limits[WALLS + i] - side * work[POSITION, i], 0.0)
    if wish != brake and travel(side * (v + wish * dt), side * wish, limits) > room:
        flags |= FLAG_WORKSPACE
        safe = brake
        for _ in range(BISECTIONS):
            middle = 0.5 * (safe + wish)
            if travel(side * (v + middle * dt), side * middle, limits) > room:
                wish = middle
            else:
                safe = middle
        wish = safe
    work[BRAKE, i] = brake
    work[WISH, i] = wish
    return flags


@njit(cache=True, nogil=True, error_model="numpy")
def limit_motion(dt, limits, motion, work):  # type: ignore[no-untyped-def]
    """Move ``motion`` toward ``work[DESIRED]`` over ``dt`` inside every limit; return which acted."""
    n = work.shape[1]
    flags = 0
    norm = length(work[DESIRED])
    scale = 1.0
    if norm > limits[SPEED]:
        scale = limits[SPEED] / norm
        flags |= FLAG_SPEED
    for i in range(n):
        flags |= limit_axis(i, scale * work[DESIRED, i], dt, limits, motion, work)
    share = 1.0
    if not within_speed(1.0, dt, limits, motion, work):
        flags |= FLAG_SPEED
        share, too_much = 0.0, 1.0
        for _ in range(BISECTIONS):
            middle = 0.5 * (share + too_much)
            if within_speed(middle, dt, limits, motion, work):
                share = middle
            else:
                too_much = middle
    for i in range(n):
        a = work[BRAKE, i] + share * (work[WISH, i] - work[BRAKE, i])
        motion[1, i] = a
        motion[0, i] += a * dt
        if work[DESIRED, i] == 0.0 and abs(motion[0, i]) < REST:
            motion[0, i] = 0.0
            motion[1, i] = 0.0
        work[OUT, i] = motion[0, i]
    return flags


HAS_INTENT, ABSTAINS, ARM, STOP, MALFORMED = 1, 2, 4, 8, 16
BASIS_T, BASIS_ARRIVAL, NEWEST_T, NEWEST_ARRIVAL = 0, 1, 2, 3
MAX_AGE, TOLERANCE, DEADMAN, DISARM, WATCHDOG, REPEAT, PERIOD, NEUTRAL_SPEED, AUTO, HARDWARE = range(10)
T_ISSUED, T_HEARD, MOTION = 0, 1, 2
STATE, SEQ, ARM_WAS, AWAITS_NEUTRAL = 0, 1, 2, 3
DISARMED, NEUTRAL, ACTIVE, TRIPPED, STOPPED = 0, 1, 2, 3, 4
F_STALE, F_SILENT, F_FUTURE, F_NOT_FINITE, F_ABSTAINED = 1, 2, 4, 8, 16
F_DEADMAN, F_STOP, F_NOT_ARMED = 512, 1024, 2048
F_AMPLITUDE, F_RAMP, F_CHARGE = 4096, 8192, 16384
PASSES, SPEAKS = 1 << 24, 1 << 25  # beyond the flags that travel
AMPLITUDE = 2  # in the memory of the stimulus gate, after T_ISSUED and T_HEARD
CEILING, RAMP, FALL, LET_GO, BY_CHARGE = 0, 1, 2, 3, 4  # its limits


@njit(cache=True, nogil=True, error_model="numpy")
def judge(bits, now, stamps, rules, work):  # type: ignore[no-untyped-def]
    """Return the flags of what is wrong with the samples and the intent; a NaN stamp is an old one."""
    flags = 0
    for k in range(4):
        if not now - stamps[k] <= rules[MAX_AGE]:
            flags |= F_STALE
    if not now - stamps[NEWEST_ARRIVAL] <= rules[WATCHDOG]:
        flags |= F_SILENT
    if max(stamps[BASIS_T], stamps[NEWEST_T]) - now > rules[TOLERANCE]:
        flags |= F_FUTURE
    finite = not bits & MALFORMED
    for i in range(work.shape[1]):
        finite = finite and math.isfinite(work[POSITION, i])
        if bits & HAS_INTENT:
            finite = finite and math.isfinite(work[DESIRED, i])
    if not finite:
        flags |= F_NOT_FINITE
    if bits & HAS_INTENT and bits & ABSTAINS:
        flags |= F_ABSTAINED
    return flags


@njit(cache=True, nogil=True, error_model="numpy")
def arming(bits, now, flags, rules, memory, counts):  # type: ignore[no-untyped-def]
    """Return the state after STOP, trips and the arm word; while tripped, T_HEARD is when something was last wrong."""
    state = counts[STATE]
    arm = bits & ARM != 0
    edge = arm and counts[ARM_WAS] == 0
    counts[ARM_WAS] = 1 if arm else 0
    if bits & STOP:
        return STOPPED
    bad = flags & (F_STALE | F_SILENT | F_NOT_FINITE | F_FUTURE)
    if bad and (state == TRIPPED or flags & F_FUTURE):
        memory[T_HEARD] = now
    if flags & F_FUTURE:
        return STOPPED if state == STOPPED else TRIPPED
    heard = bits & HAS_INTENT and not bad
    rested = state == DISARMED or (state == TRIPPED and now - memory[T_HEARD] >= rules[DISARM])
    by_itself = rested and arm and heard and rules[AUTO]
    if by_itself or (edge and state in (DISARMED, TRIPPED, STOPPED)):
        counts[AWAITS_NEUTRAL] = 1 if rules[HARDWARE] else 0
        return NEUTRAL
    if not arm and state in (NEUTRAL, ACTIVE):
        return DISARMED
    return state


@njit(cache=True, nogil=True, error_model="numpy")
def rebase(elapsed, rules, limits, motion, work):  # type: ignore[no-untyped-def]
    """Return the step's length; after a silence in which the device let go, start from what it does."""
    if elapsed < 0.0:
        return 0.0
    if elapsed <= limits[HOLD]:
        return elapsed
    for i in range(work.shape[1]):
        v = work[MEASURED, i]
        motion[0, i] = v if math.isfinite(v) else 0.0
        motion[1, i] = 0.0
    norm = length(motion[0])
    if norm > limits[SPEED]:
        for i in range(work.shape[1]):
            motion[0, i] *= limits[SPEED] / norm
    return rules[PERIOD]


@njit(cache=True, nogil=True, error_model="numpy")
def admit(bits, now, stamps, rules, acting, work, memory, counts):  # type: ignore[no-untyped-def]
    """The rules of one step: flags, with PASSES if the intent may act and SPEAKS if there is something to say.

    ``acting`` is whether what was commanded last is anything but rest.
    """
    before = counts[STATE]
    flags = judge(bits, now, stamps, rules, work)
    state = arming(bits, now, flags, rules, memory, counts)
    bad = flags & (F_STALE | F_SILENT | F_FUTURE | F_NOT_FINITE)
    heard = bits & HAS_INTENT and not bad
    armed = state in (NEUTRAL, ACTIVE)
    if (heard and state != TRIPPED) or (armed and before not in (NEUTRAL, ACTIVE)):
        memory[T_HEARD] = now
    idle = now - memory[T_HEARD]
    if armed and idle >= rules[DISARM]:
        state, armed = DISARMED, False
    if armed and idle >= rules[DEADMAN]:
        flags |= F_DEADMAN
    if heard:
        if flags & F_ABSTAINED:
            work[DESIRED, :] = 0.0
        if armed and length(work[DESIRED]) <= rules[NEUTRAL_SPEED]:
            counts[AWAITS_NEUTRAL] = 0
    passes = armed and heard and not counts[AWAITS_NEUTRAL] and not flags & F_ABSTAINED
    rule = flags & (F_STALE | F_SILENT | F_NOT_FINITE | F_DEADMAN)
    if armed and (heard or rule):
        state = ACTIVE if passes else NEUTRAL
    counts[STATE] = state

    rests = state in (TRIPPED, STOPPED) or (armed and rule) or (state == DISARMED and acting)
    changed = state != before and state != ACTIVE
    if bits & HAS_INTENT or changed or (rests and now - memory[T_ISSUED] >= rules[REPEAT]):
        flags |= SPEAKS
    if state == STOPPED:
        flags |= F_STOP
    elif not armed or counts[AWAITS_NEUTRAL]:
        flags |= F_NOT_ARMED
    return flags | PASSES if passes else flags


@njit(cache=True, nogil=True, error_model="numpy")
def numbered(now, flags, memory, counts):  # type: ignore[no-untyped-def]
    """Issue a command: return ``seq << 24 | state << 16 | flags``."""
    memory[T_ISSUED] = now
    seq = counts[SEQ]
    counts[SEQ] = seq + 1
    return seq << 24 | counts[STATE] << 16 | flags & 0xFFFF


@njit(cache=True, nogil=True, error_model="numpy")
def gate_step(bits, now, stamps, rules, limits, work, memory, counts):  # type: ignore[no-untyped-def]
    """One step of the gate: ``seq << 24 | state << 16 | flags`` of the command in ``work[OUT]``, or -1."""
    n = work.shape[1]
    motion = memory[MOTION:].reshape(2, n)
    moving = False
    for i in range(n):
        moving = moving or motion[0, i] != 0.0
    flags = admit(bits, now, stamps, rules, moving, work, memory, counts)
    if not flags & SPEAKS:
        return -1
    if counts[STATE] == STOPPED:
        motion[:] = 0.0
        work[OUT, :] = 0.0
    else:
        if not flags & PASSES:
            work[DESIRED, :] = 0.0
        dt = rebase(now - memory[T_ISSUED], rules, limits, motion, work)
        flags |= limit_motion(dt, limits, motion, work)
    return numbered(now, flags, memory, counts)


@njit(cache=True, nogil=True, error_model="numpy")
def stimulus_step(bits, now, stamps, rules, limits, work, memory, counts):  # type: ignore[no-untyped-def]
    """One step of the stimulus gate, coded as ``gate_step``; ``work[POSITION]`` is what the stimulator does, mA."""
    flags = admit(bits, now, stamps, rules, memory[AMPLITUDE] != 0.0, work, memory, counts)
    if not flags & SPEAKS:
        return -1
    amplitude = 0.0
    if counts[STATE] not in (TRIPPED, STOPPED):
        wanted = work[DESIRED, 0] if flags & PASSES else 0.0
        goal = min(max(wanted, 0.0), limits[CEILING])
        if goal != wanted:
            flags |= F_CHARGE if wanted > 0.0 and limits[BY_CHARGE] != 0.0 else F_AMPLITUDE
        was, elapsed = memory[AMPLITUDE], max(now - memory[T_ISSUED], 0.0)
        if elapsed > limits[LET_GO]:  # the stimulator let go of the last command: go on from what it does
            does = work[POSITION, 0]
            was = min(max(does, 0.0), limits[CEILING]) if math.isfinite(does) else 0.0
            elapsed = rules[PERIOD]
        reach = elapsed * (limits[RAMP] if flags & PASSES else limits[FALL])
        amplitude = min(max(goal, was - reach), was + reach)
        if amplitude != goal:
            flags |= F_RAMP
    memory[AMPLITUDE] = amplitude
    work[OUT, 0] = amplitude
    return numbered(now, flags, memory, counts)


@njit(cache=True, nogil=True, error_model="numpy")
def toward(goal, position, radius, gain, speed, out):  # type: ignore[no-untyped-def]
    """Velocity straight to the goal: ``gain`` times the distance, at most ``speed``, 0 inside ``radius``."""
    square = 0.0
    for i in range(out.shape[0]):
        out[i] = goal[i] - position[i]
        square += out[i] * out[i]
    far = math.sqrt(square)
    factor = gain
    if not far > radius:
        factor = 0.0
    elif gain * far > speed:
        factor = speed / far
    for i in range(out.shape[0]):
        out[i] *= factor


@njit(cache=True, nogil=True, error_model="numpy")
def mix(decoded, ideal, assist, out):  # type: ignore[no-untyped-def]
    """``(1 - assist) * decoded + assist * ideal``, exact at both ends."""
    for i in range(out.shape[0]):
        if assist <= 0.0:
            out[i] = decoded[i]
        elif assist >= 1.0:
            out[i] = ideal[i]
        else:
            out[i] = (1.0 - assist) * decoded[i] + assist * ideal[i]
