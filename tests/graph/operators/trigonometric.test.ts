import { describeGradients } from '../../support/finite-differences.ts';
import { trigonometricCases } from './cases/trigonometric.ts';

describeGradients('trigonometric functions', trigonometricCases);
