import { describeGradients } from '../../support/finite-differences.ts';
import { convolutionCases } from './cases/convolution.ts';

describeGradients('convolution', convolutionCases);
