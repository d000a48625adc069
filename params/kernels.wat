;; The loops over every parameter of every client, two float64 at a time (loaded two by two: V8 shuffles four slower), and over every pixel of synthetic images. Compiled by
;; scripts/build-kernels.mjs; params/kernels.ts loads them. Each does what its twin in TypeScript does, operation for operation, and so gives
;; the same bits.
(module
  (import "vectors" "memory" (memory 0))

  ;; Sum of squares of the float32 from address $at to $end, in float64. Element i goes to accumulator i mod 4, the last few to accumulator 0.
  (func (export "sumOfSquares") (param $at i32) (param $end i32) (result f64)
    (local $two v128) (local $even v128) (local $odd v128) (local $one f64)
    (block $fours_done
      (loop $fours
        (br_if $fours_done (i32.lt_u (i32.sub (local.get $end) (local.get $at)) (i32.const 16)))
        (local.set $two (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $at))))
        (local.set $even (f64x2.add (local.get $even) (f64x2.mul (local.get $two) (local.get $two))))
        (local.set $two (f64x2.promote_low_f32x4 (v128.load64_zero offset=8 (local.get $at))))
        (local.set $odd (f64x2.add (local.get $odd) (f64x2.mul (local.get $two) (local.get $two))))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $fours)))
    (block $ones_done
      (loop $ones
        (br_if $ones_done (i32.eq (local.get $at) (local.get $end)))
        (local.set $one (f64.promote_f32 (f32.load (local.get $at))))
        (local.set $even (f64x2.replace_lane 0 (local.get $even)
          (f64.add (f64x2.extract_lane 0 (local.get $even)) (f64.mul (local.get $one) (local.get $one)))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br $ones)))
    (f64.add
      (f64.add (f64x2.extract_lane 0 (local.get $even)) (f64x2.extract_lane 1 (local.get $even)))
      (f64.add (f64x2.extract_lane 0 (local.get $odd)) (f64x2.extract_lane 1 (local.get $odd)))))

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
