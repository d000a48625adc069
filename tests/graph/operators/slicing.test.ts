import { describeGradients } from '../../support/finite-differences.ts';
import { slicingCases } from './cases/slicing.ts';

describeGradients('slicing', slicingCases);
