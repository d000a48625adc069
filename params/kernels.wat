;; The loops over every parameter of every client, two float64 at a time (loaded two by two: V8 shuffles four slower), and over every pixel of synthetic images. Compiled by
;; scripts/build-kernels.mjs; params/kernels.ts loads them. Each does what its twin in TypeScript does, operation for operation, and so gives
;; the same bits.
(module
  (import "vectors" "memory" (memory 0))

  ;; Sum of squares of the float32 from address $at to $end: the squares of sixteen elements are added to four sums in float32, and these to
  ;; accumulators in float64, sum i to accumulator i. The last few are squared and added in float64, to accumulator 0.
  (func (export "blockedSumOfSquares") (param $at i32) (param $end i32) (result f64)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128) (local $low v128) (local $high v128) (local $one f64)
    (block $blocks_done
      (loop $blocks
        (br_if $blocks_done (i32.lt_u (i32.sub (local.get $end) (local.get $at)) (i32.const 64)))
        (local.set $a (v128.load (local.get $at)))
        (local.set $b (v128.load offset=16 (local.get $at)))
        (local.set $c (v128.load offset=32 (local.get $at)))
        (local.set $d (v128.load offset=48 (local.get $at)))
        (local.set $a
          (f32x4.add
            (f32x4.add (f32x4.mul (local.get $a) (local.get $a)) (f32x4.mul (local.get $c) (local.get $c)))
            (f32x4.add (f32x4.mul (local.get $b) (local.get $b)) (f32x4.mul (local.get $d) (local.get $d)))))
        (local.set $low (f64x2.add (local.get $low) (f64x2.promote_low_f32x4 (local.get $a))))
        (local.set $high (f64x2.add (local.get $high)
          (f64x2.promote_low_f32x4
            (i8x16.shuffle 8 9 10 11 12 13 14 15 8 9 10 11 12 13 14 15 (local.get $a) (local.get $a)))))
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (br $blocks)))
    (block $ones_done
      (loop $ones
        (br_if $ones_done (i32.eq (local.get $at) (local.get $end)))
        (local.set $one (f64.promote_f32 (f32.load (local.get $at))))
        (local.set $low (f64x2.replace_lane 0 (local.get $low)
          (f64.add (f64x2.extract_lane 0 (local.get $low)) (f64.mul (local.get $one) (local.get $one)))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br $ones)))
    (f64.add
      (f64.add (f64x2.extract_lane 0 (local.get $low)) (f64x2.extract_lane 1 (local.get $low)))
      (f64.add (f64x2.extract_lane 0 (local.get $high)) (f64x2.extract_lane 1 (local.get $high)))))

  ;; sum[i] += trunc(value[i] * factor): float32 from $at to $end, float64 from $sum on.
  (func (export "addTruncated") (param $sum i32) (param $at i32) (param $end i32) (param $factor f64)
    (local $factors v128)
    (local.set $factors (f64x2.splat (local.get $factor)))
    (block $fours_done
      (loop $fours
        (br_if $fours_done (i32.lt_u (i32.sub (local.get $end) (local.get $at)) (i32.const 16)))
        (v128.store (local.get $sum)
          (f64x2.add (v128.load (local.get $sum))
            (f64x2.trunc (f64x2.mul
              (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $at))) (local.get $factors)))))
        (v128.store offset=16 (local.get $sum)
          (f64x2.add (v128.load offset=16 (local.get $sum))
            (f64x2.trunc (f64x2.mul
              (f64x2.promote_low_f32x4 (v128.load64_zero offset=8 (local.get $at))) (local.get $factors)))))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (local.set $sum (i32.add (local.get $sum) (i32.const 32)))
        (br $fours)))
    (block $ones_done
      (loop $ones
        (br_if $ones_done (i32.eq (local.get $at) (local.get $end)))
        (f64.store (local.get $sum)
          (f64.add (f64.load (local.get $sum))
            (f64.trunc (f64.mul (f64.promote_f32 (f32.load (local.get $at))) (local.get $factor)))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (local.set $sum (i32.add (local.get $sum) (i32.const 8)))
        (br $ones))))

  ;; The same for four vectors at once, whose values are added to each other first: a quarter of the passes over the sum. $end is that of the first.
  (func (export "addFourTruncated") (param $sum i32) (param $at0 i32) (param $end i32) (param $at1 i32) (param $at2 i32) (param $at3 i32)
    (param $factor0 f64) (param $factor1 f64) (param $factor2 f64) (param $factor3 f64)
    (local $factors0 v128) (local $factors1 v128) (local $factors2 v128) (local $factors3 v128)
    (local.set $factors0 (f64x2.splat (local.get $factor0)))
    (local.set $factors1 (f64x2.splat (local.get $factor1)))
    (local.set $factors2 (f64x2.splat (local.get $factor2)))
    (local.set $factors3 (f64x2.splat (local.get $factor3)))
    (block $fours_done
      (loop $fours
        (br_if $fours_done (i32.lt_u (i32.sub (local.get $end) (local.get $at0)) (i32.const 16)))
        (v128.store (local.get $sum)
          (f64x2.add (v128.load (local.get $sum))
            (f64x2.add
              (f64x2.add
                (f64x2.trunc (f64x2.mul (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $at0))) (local.get $factors0)))
                (f64x2.trunc (f64x2.mul (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $at1))) (local.get $factors1))))
              (f64x2.add
                (f64x2.trunc (f64x2.mul (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $at2))) (local.get $factors2)))
                (f64x2.trunc (f64x2.mul (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $at3))) (local.get $factors3)))))))
        (v128.store offset=16 (local.get $sum)
          (f64x2.add (v128.load offset=16 (local.get $sum))
            (f64x2.add
              (f64x2.add
                (f64x2.trunc (f64x2.mul (f64x2.promote_low_f32x4 (v128.load64_zero offset=8 (local.get $at0))) (local.get $factors0)))
                (f64x2.trunc (f64x2.mul (f64x2.promote_low_f32x4 (v128.load64_zero offset=8 (local.get $at1))) (local.get $factors1))))
              (f64x2.add
                (f64x2.trunc (f64x2.mul (f64x2.promote_low_f32x4 (v128.load64_zero offset=8 (local.get $at2))) (local.get $factors2)))
                (f64x2.trunc (f64x2.mul (f64x2.promote_low_f32x4 (v128.load64_zero offset=8 (local.get $at3))) (local.get $factors3)))))))
        (local.set $at0 (i32.add (local.get $at0) (i32.const 16)))
        (local.set $at1 (i32.add (local.get $at1) (i32.const 16)))
        (local.set $at2 (i32.add (local.get $at2) (i32.const 16)))
        (local.set $at3 (i32.add (local.get $at3) (i32.const 16)))
        (local.set $sum (i32.add (local.get $sum) (i32.const 32)))
        (br $fours)))
    (block $ones_done
      (loop $ones
        (br_if $ones_done (i32.eq (local.get $at0) (local.get $end)))
        (f64.store (local.get $sum)
          (f64.add (f64.load (local.get $sum))
            (f64.add
              (f64.add
                (f64.trunc (f64.mul (f64.promote_f32 (f32.load (local.get $at0))) (local.get $factor0)))
                (f64.trunc (f64.mul (f64.promote_f32 (f32.load (local.get $at1))) (local.get $factor1))))
              (f64.add
                (f64.trunc (f64.mul (f64.promote_f32 (f32.load (local.get $at2))) (local.get $factor2)))
                (f64.trunc (f64.mul (f64.promote_f32 (f32.load (local.get $at3))) (local.get $factor3)))))))
        (local.set $at0 (i32.add (local.get $at0) (i32.const 4)))
        (local.set $at1 (i32.add (local.get $at1) (i32.const 4)))
        (local.set $at2 (i32.add (local.get $at2) (i32.const 4)))
        (local.set $at3 (i32.add (local.get $at3) (i32.const 4)))
        (local.set $sum (i32.add (local.get $sum) (i32.const 8)))
        (br $ones))))

  ;; into[i] = a[i] * factor + shift + b[i] in float32, four at a time from $into to $end, which is a multiple of four elements away.
  (func (export "addScaled") (param $into i32) (param $end i32) (param $a i32) (param $b i32) (param $factor f32) (param $shift f32)
    (local $factors v128) (local $shifts v128)
    (local.set $factors (f32x4.splat (local.get $factor)))
    (local.set $shifts (f32x4.splat (local.get $shift)))
    (block $done
      (loop $fours
        (br_if $done (i32.ge_u (local.get $into) (local.get $end)))
        (v128.store (local.get $into)
          (f32x4.add
            (f32x4.add (f32x4.mul (v128.load (local.get $a)) (local.get $factors)) (local.get $shifts))
            (v128.load (local.get $b))))
        (local.set $a (i32.add (local.get $a) (i32.const 16)))
        (local.set $b (i32.add (local.get $b) (i32.const 16)))
        (local.set $into (i32.add (local.get $into) (i32.const 16)))
        (br $fours)))))
