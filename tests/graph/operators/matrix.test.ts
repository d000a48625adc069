import { describeGradients } from '../../support/finite-differences.ts';
import { matrixCases } from './cases/matrix.ts';

describeGradients('matrix', matrixCases);
